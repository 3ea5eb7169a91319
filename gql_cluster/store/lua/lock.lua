-- Locks an open draft for a commit; a lock whose time is over is taken over when it is named.
-- ARGV: version expected or '', token, lease in ms, token to take over or ''
local refusal = refused()
if refusal then return refusal end
local state, version, token, ends =
  unpack(redis.call('HMGET', META, 'state', 'version', 'lock', 'until'))
if state ~= 'OPEN' then return {'closed', state, version} end
-- The same token again is a retry.
if token and token ~= ARGV[2] and not (token == ARGV[4] and ends - now() <= 0) then
  return locked(token, ends, version)
end
if ARGV[1] ~= '' and ARGV[1] ~= version then return {'stale', version} end
redis.call('HSET', META, 'lock', ARGV[2], 'until', string.format('%d', now() + ARGV[3]))
return {'acquired', header()}

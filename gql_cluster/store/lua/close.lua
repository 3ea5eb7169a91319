-- Ends a draft with one more entry: under the lock with this token, or where none is held.
-- ARGV: token or '', state, change id or '', fingerprint, entry, updated, expires, ttl in ms,
-- log length
local state, version, token, ends =
  unpack(redis.call('HMGET', META, 'state', 'version', 'lock', 'until'))
if not state then return {'gone'} end
if state ~= 'OPEN' then return {'closed', state, version} end
if token and token ~= ARGV[1] then return locked(token, ends) end
if not token and ARGV[1] ~= '' then return {'lost'} end

version = version + 1
redis.call('HSET', META, 'version', version, 'state', ARGV[2], 'updated', ARGV[6], 'expires', ARGV[7])
redis.call('HDEL', META, 'lock', 'until')
log(version, ARGV[5], ARGV[9])
if ARGV[3] ~= '' then redis.call('HSET', DONE, ARGV[3], version .. ':' .. ARGV[4]) end
expire(ARGV[8])
return {'ended', header()}

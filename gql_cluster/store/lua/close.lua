-- Ends a draft, or a commit of one that stays open, with one more entry: under the lock with this
-- token, or where none is held.
-- ARGV: token or '', state, change id or '', fingerprint, entry, updated, expires, ttl in ms,
-- log length, bytes that the log may take, then '' or else what is saved and is the base from now on: pk, stamp, and three
-- lists: keys with their nodes, index members that leave, index members that come.
local refusal = refused()
if refusal then return refusal end
local state, version, token, ends =
  unpack(redis.call('HMGET', META, 'state', 'version', 'lock', 'until'))
if state ~= 'OPEN' then return {'closed', state, version} end
if token and token ~= ARGV[1] then return locked(token, ends, version) end
if not token and ARGV[1] ~= '' then return {'lost'} end

if ARGV[11] ~= '' then
  local list, grown = lists(13), 0
  local first, last = list()
  for i = first, last, 2 do
    grown = grown + #ARGV[i + 1] - redis.call('HSTRLEN', NODES, ARGV[i])
    redis.call('HSET', NODES, ARGV[i], ARGV[i + 1])
  end
  first, last = list()
  for i = first, last do redis.call('ZREM', INDEX, ARGV[i]) end
  first, last = list()
  for i = first, last do redis.call('ZADD', INDEX, 0, ARGV[i]) end
  redis.call('DEL', BASE)
  redis.call('HSET', META, 'pk', ARGV[11], 'stamp', ARGV[12], 'based', 0)
  redis.call('HINCRBY', META, 'bytes', grown)
end
local made = following(version)
redis.call('HINCRBY', META, 'skipped', made - version - 1)
redis.call('HDEL', META, 'lock', 'until')
local logged = redis.call('HGET', META, 'logged') or 0
logged = log(version, made, ARGV[5], ARGV[9], logged, tonumber(ARGV[10]))
if ARGV[3] ~= '' then redis.call('HSET', DONE, ARGV[3], made .. ':' .. ARGV[4]) end
keep(ARGV[8], 'version', made, 'state', ARGV[2], 'updated', ARGV[6], 'expires', ARGV[7],
  'logged', logged)
return {'ended', header(), version}

-- Takes a change set that was computed at exactly the draft's version, or says why not.
-- ARGV: version computed at, version expected or '', change id or '', fingerprint, entry,
-- updated, expires, tail, ttl in ms, log length, '1' to keep the base, then four lists, each
-- behind its length: keys that no node may have yet, keys with their nodes, index members that
-- leave, index members that come.
local state, version, token, ends =
  unpack(redis.call('HMGET', META, 'state', 'version', 'lock', 'until'))
if not state then return {'gone'} end
local change = ARGV[3]
-- Before all else: a retry of what was done gets the outcome, whatever came after it.
local outcome = change ~= '' and redis.call('HGET', DONE, change)
if outcome then return {'seen', outcome} end
if state ~= 'OPEN' then return {'closed', state, version} end
if token then return locked(token, ends) end
if ARGV[2] ~= '' and ARGV[2] ~= version then return {'stale', version} end
if ARGV[1] ~= version then return {'behind', header(), entries(ARGV[1], 0)} end

local at = 12
local last = at + tonumber(ARGV[at])
for i = at + 1, last do
  if redis.call('HEXISTS', NODES, ARGV[i]) == 1 then return {'taken', ARGV[i]} end
end

version = version + 1
at = last + 1
last = at + 2 * tonumber(ARGV[at])
for i = at + 1, last, 2 do
  local key = ARGV[i]
  if ARGV[11] == '1' and redis.call('HEXISTS', BASE, key) == 0 then
    redis.call('HSET', BASE, key, redis.call('HGET', NODES, key) or '')
  end
  redis.call('HSET', NODES, key, ARGV[i + 1])
end
at = last + 1
last = at + tonumber(ARGV[at])
for i = at + 1, last do redis.call('ZREM', INDEX, ARGV[i]) end
at = last + 1
last = at + tonumber(ARGV[at])
for i = at + 1, last do redis.call('ZADD', INDEX, 0, ARGV[i]) end

redis.call('HSET', META, 'version', version, 'updated', ARGV[6], 'expires', ARGV[7], 'tail', ARGV[8])
log(version, ARGV[5], ARGV[10])
if change ~= '' then redis.call('HSET', DONE, change, version .. ':' .. ARGV[4]) end
expire(ARGV[9])
return {'accepted', version}

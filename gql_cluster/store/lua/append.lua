-- Takes a change set that was computed at exactly the draft's version, or says why not; tells
-- whether anybody watches the draft.
-- KEYS: the draft's, and its watchers.
-- ARGV: version computed at, version expected or '', change id or '', fingerprint, entry,
-- updated, expires, tail, ttl in ms, log length, what becomes of the base ('' nothing, 'keep'
-- what is touched for the first time, 'new' the list given), session, version that the entry
-- makes, stacks, stamp, versions skipped, nodes and bytes that the draft may hold, then five lists: keys that no node may have yet, keys
-- with their nodes, index members that leave, index members that come, keys with their nodes in
-- the new base.
local refusal = refused()
if refusal then return refusal end
local state, version, token, ends, owner, members, packed, held, bytes, based,
  logged =
  unpack(redis.call('HMGET', META, 'state', 'version', 'lock', 'until', 'owner', 'members', 'packs',
    'held', 'bytes', 'based', 'logged'))
if not admitted(ARGV[12], owner, members) then return {'gone'} end
local change = ARGV[3]
-- Before all else: a retry of what was done gets the outcome, whatever came after it.
local outcome = change ~= '' and redis.call('HGET', DONE, change)
if outcome then return {'seen', outcome} end
if state ~= 'OPEN' then return {'closed', state, version} end
if token then return locked(token, ends, version) end
if ARGV[2] ~= '' and ARGV[2] ~= version then return {'stale', version} end
if ARGV[1] ~= version then return {'behind', header(), entries(ARGV[1])} end
local made = following(version)
if ARGV[13] ~= made then return {'skip', made} end

local list = lists(19)
local first, last = list()
for i = first, last do
  if redis.call('HEXISTS', NODES, ARGV[i]) == 1 then return {'taken', ARGV[i]} end
end
-- Not kept by a draft of an older release: counted from here on.
held, bytes, based = (held or 0) + last - first + 1, bytes or 0, based or 0
if last >= first and held > tonumber(ARGV[17]) then return {'full', 'nodes'} end

first, last = list()
-- What has no value of its own was not there, or it is in its pack: reading the base tells.
local unknown = packed and '\0' or ''
local grown, fresh = change ~= '' and #change + #ARGV[4] + #made or 0, {}
for i = first, last, 2 do
  local before = redis.call('HSTRLEN', NODES, ARGV[i])
  grown = grown + #ARGV[i + 1] - before
  if ARGV[11] == 'keep' and redis.call('HEXISTS', BASE, ARGV[i]) == 0 then
    fresh[ARGV[i]] = true
    based = based + (before > 0 and before or #unknown)
  end
end
bytes = bytes + grown
if grown > 0 and bytes + based > tonumber(ARGV[18]) then return {'full', 'bytes'} end
for i = first, last, 2 do
  local key = ARGV[i]
  if fresh[key] then
    redis.call('HSET', BASE, key, redis.call('HGET', NODES, key) or unknown)
  end
  redis.call('HSET', NODES, key, ARGV[i + 1])
end
first, last = list()
for i = first, last do redis.call('ZREM', INDEX, ARGV[i]) end
first, last = list()
for i = first, last do redis.call('ZADD', INDEX, 0, ARGV[i]) end
first, last = list()
if ARGV[11] == 'new' then
  redis.call('DEL', BASE)
  based = 0
end
for i = first, last, 2 do
  redis.call('HSET', BASE, ARGV[i], ARGV[i + 1])
  based = based + #ARGV[i + 1]
end

logged = log(version, made, ARGV[5], ARGV[10], logged or 0, tonumber(ARGV[18]))
if change ~= '' then redis.call('HSET', DONE, change, made .. ':' .. ARGV[4]) end
keep(ARGV[9], 'version', made, 'updated', ARGV[6], 'expires', ARGV[7], 'tail', ARGV[8],
  'stacks', ARGV[14], 'stamp', ARGV[15], 'skipped', ARGV[16],
  'held', held, 'bytes', bytes, 'based', based, 'logged', logged)
return {'accepted', made, redis.call('EXISTS', KEYS[7])}

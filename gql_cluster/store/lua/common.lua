-- Put before every script. The keys are the six of one draft, always in this order; what other
-- keys a script takes comes behind them.
-- A reply begins with a word that says what came of it. The header's key is the first to
-- expire: where it is there, all are, because time stands still while a script runs.
local META, NODES, BASE, INDEX, LOG, DONE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local OWN = {unpack(KEYS, 1, 6)}
local CHUNK = 1000 -- unpack() fails at some 8,000 values

local function header()
  return redis.call('HGETALL', META)
end

-- The entries behind a version, none where '' is given.
local function entries(after)
  if after == '' then return {} end
  return redis.call('XRANGE', LOG, string.format('%d-0', after + 1), '+')
end

-- The stored nodes, false where there is none.
local function nodes(keys)
  local values = {}
  for first = 1, #keys, CHUNK do
    local last = math.min(first + CHUNK - 1, #keys)
    for _, value in ipairs(redis.call('HMGET', NODES, unpack(keys, first, last))) do
      values[#values + 1] = value
    end
  end
  return values
end

-- Collects the packs of nodes, each once: see store/packs.py. A draft of before format 4 has none.
local function packs()
  local count, names, seen = tonumber(redis.call('HGET', META, 'packs') or 0), {}, {}
  local function add(number)
    if not seen[number] then
      seen[number] = true
      names[#names + 1] = '\0' .. number
    end
  end
  return {
    add = add,
    of = function(key)
      if count > 0 then add(tonumber(string.sub(redis.sha1hex(key), 1, 8), 16) % count) end
    end,
    read = function() return nodes(names) end,
  }
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The reply for a draft that a commit has locked until a time.
local function locked(token, ends, version)
  return {'locked', token, ends - now(), version}
end

-- The reply for a draft that is not there, or not for this release; nil where it is. One of which
-- a key is gone, as by eviction, is gone: it must never look as if it had no nodes, no children
-- or no changes.
local function refused()
  local format, count = unpack(redis.call('HMGET', META, 'format', 'keys'))
  if not format then return {'gone'} end
  if tonumber(format) > FORMAT then return {'newer', format} end
  -- The header of format 1 does not tell how many keys there are.
  if redis.call('EXISTS', NODES) == 0
    or redis.call('EXISTS', unpack(OWN)) < tonumber(count or 0) then return {'gone'} end
end

-- Returns what finds the lists in ARGV, each behind its length: the places of first and last.
local function lists(at)
  return function()
    local first, last = at + 1, at + tonumber(ARGV[at])
    at = last + 1
    return first, last
  end
end

-- Tells whether a session may see and change the draft; the members are a list in JSON.
local function admitted(session, owner, members)
  if session == owner then return true end
  for _, member in ipairs(cjson.decode(members or '[]')) do
    if session == member then return true end
  end
  return false
end

-- Redis' name for the history of its data: a random one behind each restart and each failover.
local function history()
  -- Some that are hosted do not tell: there no numbers skip.
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or '0'
end

-- The version that follows. Where the draft was written last in another history, Redis may have
-- lost versions that somebody has seen: then the numbers skip ahead, by 10,000 and by what is
-- random in the history's name, so that none is used twice: not one that was lost, nor one that
-- was made behind another loss of the same. In one history the same number follows at any time,
-- however long it takes to come with it. There is room for some 4,000 skips in 31 bits.
local function following(version)
  local last, now = redis.call('HGET', META, 'history'), history()
  local step = 1
  if last and last ~= now then step = 10000 + tonumber(string.sub(now, 1, 5), 16) end
  return string.format('%d', version + step)
end

-- Drops the oldest entries until the others take half of these bytes; returns what they take.
local function trim(bytes)
  local kept, oldest = 0, nil
  while true do
    local rows = redis.call('XREVRANGE', LOG, oldest and '(' .. oldest or '+', '-', 'COUNT', 10)
    for _, row in ipairs(rows) do
      local size = #row[2][2]
      if oldest and kept + size > bytes / 2 then
        redis.call('XTRIM', LOG, 'MINID', oldest)
        return kept
      end
      kept, oldest = kept + size, row[1]
    end
    if #rows < 10 then return kept end
  end
end

-- Adds an entry to the log, of which `logged` bytes were added since it was looked through; returns
-- how many are then. Each time that they are more than `bytes` it is, so that it takes about as
-- many at most, whatever its length.
local function log(previous, version, entry, length, logged, bytes)
  redis.call('XADD', LOG, 'MAXLEN', '~', length, version .. '-0',
    'entry', entry, 'previous', previous)
  logged = logged + #entry
  return logged > bytes and trim(bytes) or logged
end

-- Ends every script that changes a draft: writes these fields of the header, and what is always
-- in it. The header expires first: see above.
local function keep(ttl, ...)
  redis.call('HSET', META, 'format', FORMAT, 'keys', redis.call('EXISTS', unpack(OWN)),
    'history', history(), ...)
  for _, key in ipairs(OWN) do redis.call('PEXPIRE', key, ttl) end
end

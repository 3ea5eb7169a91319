-- Put before every script. The keys are the six of one draft, always in this order.
-- A reply begins with a word that says what came of it. The header's key is the first to
-- expire: where it is there, all are, because time stands still while a script runs.
local META, NODES, BASE, INDEX, LOG, DONE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local CHUNK = 1000 -- unpack() fails at some 8,000 values

local function header()
  return redis.call('HGETALL', META)
end

-- The entries behind a version, none where '' is given; limit 0 is no limit.
local function entries(after, limit)
  if after == '' then return {} end
  local first = string.format('%d-0', after + 1)
  if limit == 0 then return redis.call('XRANGE', LOG, first, '+') end
  return redis.call('XRANGE', LOG, first, '+', 'COUNT', limit)
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

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The reply for a draft that a commit has locked until a time.
local function locked(token, ends)
  return {'locked', token, ends - now()}
end

-- The header goes first: see above.
local function expire(ttl)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end
end

local function log(version, entry, length)
  redis.call('XADD', LOG, 'MAXLEN', '~', length, version .. '-0', 'entry', entry)
end

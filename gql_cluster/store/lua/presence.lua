-- Keeps who watches a draft: takes watchers that come or stay, watchers that leave, and where a
-- session looks; forgets who was not heard of for a while; replies with who is left.
-- KEYS: watchers by expiry, editors. ARGV: ttl in ms, session whose focus moves or '', its focus,
-- then two lists, each behind its length: session, watcher and since of those that come or stay;
-- session and watcher of those that leave.
local WATCHERS, EDITORS = KEYS[1], KEYS[2]
local time, changed, at = now(), 0, 4

local function list(width, act)
  local last = at + width * tonumber(ARGV[at])
  for i = at + 1, last, width do act(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
  at = last + 1
end

list(3, function(session, watcher, since)
  redis.call('ZADD', WATCHERS, time + ARGV[1], watcher .. '\0' .. session)
  changed = changed + redis.call('HSETNX', EDITORS, session, since .. '\0')
end)
if ARGV[4] ~= '0' then -- the keys live as long as the last of the watchers
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
end
list(2, function(session, watcher) redis.call('ZREM', WATCHERS, watcher .. '\0' .. session) end)
redis.call('ZREMRANGEBYSCORE', WATCHERS, '-inf', time)

local watching = {}
for _, member in ipairs(redis.call('ZRANGE', WATCHERS, 0, -1)) do
  watching[string.match(member, '%z(.*)$')] = true
end
for _, session in ipairs(redis.call('HKEYS', EDITORS)) do
  if not watching[session] then changed = changed + redis.call('HDEL', EDITORS, session) end
end

local editor = ARGV[2] ~= '' and redis.call('HGET', EDITORS, ARGV[2])
if editor then
  local moved = string.match(editor, '^[^%z]*%z') .. ARGV[3]
  if moved ~= editor then
    redis.call('HSET', EDITORS, ARGV[2], moved)
    changed = changed + 1
  end
end
return {'present', changed, redis.call('HGETALL', EDITORS)}

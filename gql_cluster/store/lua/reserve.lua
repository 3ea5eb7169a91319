-- Lists a draft that a session opens, unless it has as many as it may; then tells which they are.
-- KEYS: the session's drafts by time. ARGV: draft id, time, ttl in ms, how many there may be.
local there = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not there and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
  return {'full', redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')}
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'reserved'}

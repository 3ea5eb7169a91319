-- Returns the count of a root's saves. Where none is kept it begins now, and by the clock: a draft
-- that knows an earlier count must not take it for that.
-- KEYS: the count. ARGV: ttl in ms, what has to be left of it at least
local count = redis.call('GET', KEYS[1])
if not count then
  count = string.format('%d', now())
  redis.call('SET', KEYS[1], count)
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {'stamp', count}

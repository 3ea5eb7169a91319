-- Takes tokens out of a bucket, as many as there are; tells how many it got, and in how many
-- microseconds there will be one more.
-- Kept is when the bucket will be full again (the GCRA of the ATM Forum's TM 4.0): one whole
-- number, by the clock of Redis. A bucket that is full is not there.
-- KEYS: the bucket. ARGV: microseconds a token takes to come, size of the bucket, tokens wanted.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local each, wanted = tonumber(ARGV[1]), tonumber(ARGV[3])
local size = ARGV[2] * each
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local taken = math.max(0, math.min(wanted, math.floor((now + size - full) / each)))
if taken > 0 then
  full = full + taken * each
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
end
return {'taken', taken, math.max(0, full + each - size - now)}

-- Counts a save of a root, where its count is kept. Sent by itself, without what is put before the
-- other scripts.
-- KEYS: the count
return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('INCR', KEYS[1])

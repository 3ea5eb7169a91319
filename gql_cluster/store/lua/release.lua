-- Lets a session's claim on a root go, if it is for this draft.
-- KEYS: the session's roots. ARGV: root, draft id
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return {'released'}

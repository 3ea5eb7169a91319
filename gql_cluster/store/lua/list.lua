-- Lists a draft in its session's, or moves it there to another time.
-- KEYS: the session's drafts. ARGV: time, draft id, ttl in ms
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'listed'}

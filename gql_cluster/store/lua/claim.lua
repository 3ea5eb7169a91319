-- Claims a root for a draft, unless the session has one of it; replies with the one it has then.
-- KEYS: the session's roots. ARGV: root, draft id, ttl in ms
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'claimed', redis.call('HGET', KEYS[1], ARGV[1])}

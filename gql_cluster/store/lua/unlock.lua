-- Gives a lock back; one that is held by another stays.
-- ARGV: token
if redis.call('HGET', META, 'lock') == ARGV[1] then redis.call('HDEL', META, 'lock', 'until') end
return {'unlocked'}

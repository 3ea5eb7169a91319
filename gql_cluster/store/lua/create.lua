-- Keeps a new draft.
-- ARGV: ttl in ms, then three lists: fields of the header with their values, keys with their
-- nodes, index members.
local list = lists(2)
local first, last = list()
for i = first, last, 2 do redis.call('HSET', META, ARGV[i], ARGV[i + 1]) end
first, last = list()
for i = first, last, 2 do redis.call('HSET', NODES, ARGV[i], ARGV[i + 1]) end
first, last = list()
for i = first, last do redis.call('ZADD', INDEX, 0, ARGV[i]) end
keep(ARGV[1])
return {'created'}

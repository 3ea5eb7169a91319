-- Lets a session in by a link, as long as the link's nonce is the draft's.
-- ARGV: session, nonce, how many may be let in
local refusal = refused()
if refusal then return refusal end
local owner, members, nonce = unpack(redis.call('HMGET', META, 'owner', 'members', 'share'))
if ARGV[2] == '' or nonce ~= ARGV[2] then return {'gone'} end
if admitted(ARGV[1], owner, members) then return {'joined'} end
local list = cjson.decode(members or '[]')
if #list >= tonumber(ARGV[3]) then return {'full'} end
list[#list + 1] = ARGV[1]
redis.call('HSET', META, 'members', cjson.encode(list))
return {'joined'}

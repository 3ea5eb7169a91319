-- Takes a draft's links back, and lets out whoever has joined.
local refusal = refused()
if refusal then return refusal end
redis.call('HSET', META, 'share', '', 'members', '[]')
return {'unshared'}

-- Reads what a draft's touched nodes were at its base.
local refusal = refused()
if refusal then return refusal end
return {'touched', redis.call('HGETALL', BASE)}

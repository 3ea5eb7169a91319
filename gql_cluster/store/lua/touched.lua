-- Reads what a draft's touched nodes were at its base.
local refusal = refused()
if refusal then return refusal end
local base, packed = redis.call('HGETALL', BASE), packs()
for i = 2, #base, 2 do
  if base[i] == '\0' then packed.of(base[i - 1]) end
end
return {'touched', base, packed.read()}

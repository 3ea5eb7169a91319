-- Reads any parts of a draft at one version. Writes nothing.
-- ARGV: after or '', limit, change id or '', then three lists, each behind its length:
-- keys, places whose siblings are wanted, places whose nodes are wanted as well.
if redis.call('EXISTS', META) == 0 then return {'gone'} end

local at = 4
local function list()
  local length = tonumber(ARGV[at])
  local values = {}
  for i = at + 1, at + length do values[#values + 1] = ARGV[i] end
  at = at + length + 1
  return values
end

local function siblings(place)
  return redis.call('ZRANGEBYLEX', INDEX, '[' .. place .. '\0', '(' .. place .. '\1')
end

local wanted = nodes(list())
local relations = {}
for _, place in ipairs(list()) do relations[#relations + 1] = siblings(place) end
local families = {}
for _, place in ipairs(list()) do
  local members, keys = siblings(place), {}
  for i, member in ipairs(members) do keys[i] = string.match(member, '^.*%z(.*)$') end
  families[#families + 1] = {members, nodes(keys)}
end
local outcome = ARGV[3] ~= '' and redis.call('HGET', DONE, ARGV[3])
return {'read', header(), entries(ARGV[1], tonumber(ARGV[2])), wanted, relations, families, outcome}

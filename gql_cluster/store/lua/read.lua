-- Reads any parts of a draft at one version. Writes nothing.
-- ARGV: after or '', change id or '', then three lists: keys, places whose siblings are
-- wanted, places whose nodes are wanted as well.
local refusal = refused()
if refusal then return refusal end

local bounds = lists(3)
local function list()
  local values = {}
  local first, last = bounds()
  for i = first, last do values[#values + 1] = ARGV[i] end
  return values
end

local function siblings(place)
  return redis.call('ZRANGEBYLEX', INDEX, '[' .. place .. '\0', '(' .. place .. '\1')
end

local packed, keys = packs(), list()
local wanted = nodes(keys)
for i, key in ipairs(keys) do
  if not wanted[i] then packed.of(key) end
end
local relations = {}
for _, place in ipairs(list()) do
  relations[#relations + 1] = {redis.call('HGET', NODES, '\0' .. place), siblings(place)}
end
local families = {}
for _, place in ipairs(list()) do
  local order, members, own = redis.call('HGET', NODES, '\0' .. place), siblings(place), {}
  for i, member in ipairs(members) do own[i] = string.match(member, '^.*%z(.*)$') end
  -- The list of the children that were never touched begins with the numbers of their packs.
  for number in string.gmatch(string.match(order or '', '^[^%z]*'), '%d+') do
    packed.add(tonumber(number))
  end
  families[#families + 1] = {order, members, nodes(own)}
end
local outcome = ARGV[2] ~= '' and redis.call('HGET', DONE, ARGV[2])
return {
  'read', header(), entries(ARGV[1]), wanted, relations, families, packed.read(), outcome
}

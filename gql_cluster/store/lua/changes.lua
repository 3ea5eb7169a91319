-- Reads what a draft has of its own: the base of each key touched since open, and these nodes
-- with all above them as they are now; of a new cluster every node. Writes nothing.
-- ARGV: after or ''
if redis.call('EXISTS', META) == 0 then return {'gone'} end

local base = redis.call('HGETALL', BASE)
local current
if redis.call('HGET', META, 'pk') == 'null' then
  current = redis.call('HGETALL', NODES)
else
  local seen = {}
  current = {}
  for i = 1, #base, 2 do
    local key = base[i]
    while key ~= '' and not seen[key] do
      seen[key] = true
      local node = redis.call('HGET', NODES, key)
      if not node then break end
      current[#current + 1] = key
      current[#current + 1] = node
      key = string.sub(node, 1, string.find(node, '\0', 1, true) - 1) -- its parent
    end
  end
end
return {'changes', header(), entries(ARGV[1], 0), base, current}

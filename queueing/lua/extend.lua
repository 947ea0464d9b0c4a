-- Extend the leases of lanes, in one step for all children of a worker on one queue.
--
-- KEYS and ARGV[1…4] as in lib/room.lua
-- ARGV[5] ms of the lease  ARGV[6…] lanes
-- Returns the ids that another receiver has taken over
--
-- include clock
-- include room
local lost = {}
for i = 6, #ARGV do
  local state = read_lane(ARGV[i])
  if #state.held > 0 then
    local _, gone = extend(ARGV[i], state, tonumber(ARGV[5]))
    for _, id in ipairs(gone) do lost[#lost + 1] = id end
  end
end
return lost

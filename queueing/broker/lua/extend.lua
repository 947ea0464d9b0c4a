-- Extend the leases of lanes: one call for all children of a worker on one queue.
--
-- KEYS and ARGV[1…5] as in lib/room.lua
-- ARGV[6] ms of the lease  ARGV[7…] lanes
-- Returns {'ok', ids that another receiver has taken over …}, or the reply of lib/room.lua for wrong keys
--
-- include clock
-- include queue
-- include room
-- include drain
local reply = { 'ok' }
for i = 7, #ARGV do
  local state = read_lane(ARGV[i])
  if #state.held > 0 then
    local _, lost = extend(ARGV[i], state, tonumber(ARGV[6]))
    for _, id in ipairs(lost) do reply[#reply + 1] = id end
  end
end
return reply

-- Extend the leases of lanes: one call for all children of a worker on one queue.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] ms of the lease  ARGV[7…] lanes
-- Returns {'ok', {ids that another receiver has taken over}, {lane, id, rc, 1 to end its process or else 0, reason,
-- …} of the messages to stop}, or the reply of lib/room.lua for wrong keys
--
-- include clock
-- include queue
-- include room
-- include drain
-- include extend
-- include next
local taken_over, stops = {}, {}
for i = 7, #ARGV do
  local state = read_lane(ARGV[i])
  if #state.held > 0 then
    local _, lost = extend(ARGV[i], state, tonumber(ARGV[6]))
    for _, id in ipairs(lost) do taken_over[#taken_over + 1] = id end
    for j = 1, #state.held, 2 do
      local id, rc = state.held[j], state.held[j + 1]
      local stop = stop_of(state, id, rc)
      for _, value in ipairs(stop and { ARGV[i], id, rc, stop[2] == 1 and 1 or 0, tostring(stop[3]) } or {}) do
        stops[#stops + 1] = value
      end
    end
  end
end
start_next()
return { 'ok', taken_over, stops }

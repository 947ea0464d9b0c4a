-- Give back what a lane holds and its child does not have in hand: a failover has lost the settle. The messages
-- run again.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] lane  ARGV[7] reason  ARGV[8] max crashes  ARGV[9…] ids that the child has in hand
-- Returns the reply of a claim that took nothing although more is due
--
-- include clock
-- include queue
-- include room
-- include drain
-- include bury
-- include abandon
local lane, in_hand = ARGV[6], {}
for i = 9, #ARGV do in_hand[ARGV[i]] = true end
if not queue_exists then return { 'queueNotFound' } end
-- Read it before the first write: a key of another type must fail here.
redis.call('ZCARD', KEYS[2])
local reply = { 'ok', whole(now_ms), whole(now_ms), '0', '' }
local state, lease_end_ms = read_lane(lane)
local kept, surplus = {}, {}
for i = 1, #state.held, 2 do
  local group = in_hand[state.held[i]] and kept or surplus
  group[#group + 1], group[#group + 2] = state.held[i], state.held[i + 1]
end
if #surplus == 0 then return reply end
check_room()
check_burial()
local lost = state.lost
state.held, state.taken, state.lost = surplus, 0, nil
write_lane(lane, state, lease_end_ms or now_ms)
abandon(lane, {}, ARGV[7], tonumber(ARGV[8]))
state.held, state.lost = kept, lost
for i = 1, #surplus, 2 do free_slots(state, surplus[i]) end
write_lane(lane, state, lease_end_ms or now_ms)
return reply

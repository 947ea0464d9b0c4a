-- Delete messages, by id or by receipt. An id deletes the message even if another reader holds it; a receipt
-- deletes it only if it still fits. A member of a batch counts as cancelled.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9…12] as in lib/members.lua
-- ARGV[1…] per message: id, rc of the receipt or ''
-- Returns {1 or 0 for each} (RSMQ does not check that the queue exists)
--
-- include clock
local batches, batch_order, failed_members, follow_ups = KEYS[9], KEYS[10], KEYS[11], KEYS[12]
-- include members
local reply = {}
local has_headers = redis.call('HLEN', KEYS[4]) > 0
if has_headers then check_members() end
for i = 1, #ARGV, 2 do
  local id, rc = ARGV[i], ARGV[i + 1]
  if rc ~= '' and redis.call('HGET', KEYS[1], id .. ':rc') ~= rc then
    reply[#reply + 1] = 0
  else
    local headers = has_headers and redis.call('HGET', KEYS[4], id)
    local scheduled = redis.call('ZREM', KEYS[2], id)
    local fields = redis.call('HDEL', KEYS[1], id, id .. ':rc', id .. ':fr')
    redis.call('HDEL', KEYS[3], id)
    redis.call('HDEL', KEYS[4], id)
    member_left(headers, id, 'cancelled')
    reply[#reply + 1] = (scheduled == 1 and fields > 0) and 1 or 0
  end
end
return reply

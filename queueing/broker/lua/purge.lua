-- Delete messages that no worker holds, in delivery order.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held  KEYS[11…14] as in lib/members.lua
-- ARGV[1] how many to read
-- Returns {'ok', how many were deleted, how many of those read are held} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
local batches, batch_order, failed_members, follow_ups = KEYS[11], KEYS[12], KEYS[13], KEYS[14]
-- include drain
-- include bury
-- include lanes
local running = running_ids()
local deleted, kept = 0, 0
local has_headers = redis.call('HLEN', KEYS[4]) > 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1)) do
  if running[id] then
    kept = kept + 1
  else
    if has_headers then member_left(redis.call('HGET', KEYS[4], id), id, 'cancelled') end
    forget(id)
    deleted = deleted + 1
  end
end
return { 'ok', deleted, kept }

-- Delete messages that no worker holds, in delivery order.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] how many to read
-- Returns {'ok', how many were deleted, how many of those read are held} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include drain
-- include leave
-- include next
-- include lanes
local running = running_ids()
local deleted, kept = 0, 0
check_leaving()
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, ARGV[6] - 1)) do
  if running[id] then
    kept = kept + 1
  else
    forget(id, 'cancelled')
    deleted = deleted + 1
  end
end
start_next()
return { 'ok', deleted, kept }

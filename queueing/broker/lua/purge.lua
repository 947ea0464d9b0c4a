-- Delete messages that no worker holds, in delivery order.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
-- ARGV[1] how many to read
-- Returns {'ok', how many were deleted, how many of those read are held} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include bury
-- include lanes
local running = running_ids()
local deleted, kept = 0, 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, ARGV[1] - 1)) do
  if running[id] then
    kept = kept + 1
  else
    forget(id)
    deleted = deleted + 1
  end
end
return { 'ok', deleted, kept }

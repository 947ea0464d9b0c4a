-- Delete the keys beyond RSMQ's of a queue that another program has deleted.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held  KEYS[11…] further keys beyond RSMQ's
-- Returns how many keys and lanes were deleted
--
-- include queue
if queue_exists then return 0 end
local deleted = 0
for _, lane in ipairs(redis.call('ZRANGE', KEYS[9], 0, -1)) do
  deleted = deleted + redis.call('HDEL', KEYS[10], lane)
end
return deleted + redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[9], unpack(KEYS, 11))

-- Delete the keys beyond RSMQ's of a queue that another program has deleted.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held  KEYS[11…] further keys beyond RSMQ's, then slots
-- Returns how many keys and lanes were deleted
--
-- include queue
-- include drop_lanes
if queue_exists then return 0 end
return drop_lanes() + redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[9], unpack(KEYS, 11, #KEYS - 1))

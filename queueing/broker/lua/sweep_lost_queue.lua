-- Delete the keys beyond RSMQ's of a queue that another program has deleted.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[11…15] further keys beyond RSMQ's  the others as in lib/drop_lanes.lua
-- ARGV[1] name
-- Returns how many keys and lanes were deleted
--
-- include clock
-- include queue
-- include drop_lanes
if queue_exists then return 0 end
return drop_lanes() + redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[9], unpack(KEYS, 11, 15))

-- Delete the keys beyond RSMQ's of a queue that another program has deleted.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- Returns how many keys and lanes were deleted
--
-- include clock
-- include queue
-- include drop_lanes
if queue_exists then return 0 end
return drop_lanes()

-- Delete a queue with its messages and with the keys that RSMQ does not know.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[11…15] further keys beyond RSMQ's  the others as in lib/drop_lanes.lua
-- ARGV[1] name
-- Returns {'ok'} or {RSMQ's error name}
--
-- include clock
-- include drop_lanes
local removed = redis.call('UNLINK', KEYS[1], KEYS[2])
drop_lanes()
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[9], unpack(KEYS, 11, 15))
redis.call('SREM', KEYS[8], ARGV[1])
if removed == 0 then return { 'queueNotFound' } end
return { 'ok' }

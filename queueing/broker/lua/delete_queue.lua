-- Delete a queue with its messages and with the keys that RSMQ does not know.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- Returns {'ok'} or {RSMQ's error name}
--
-- include clock
-- include drop_lanes
local removed = redis.call('UNLINK', KEYS[1], KEYS[2])
drop_lanes()
redis.call('SREM', KEYS[8], ARGV[1])
if removed == 0 then return { 'queueNotFound' } end
return { 'ok' }

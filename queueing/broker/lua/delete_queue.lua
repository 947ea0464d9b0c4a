-- Delete a queue with its messages and with the keys that RSMQ does not know.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua  KEYS[29] sender
-- ARGV[6] ms for which the sender is remembered
-- Returns {'ok'} or {RSMQ's error name}
--
-- include clock
-- include drop_lanes
-- An earlier try of this call has deleted the queue.
if redis.call('EXISTS', KEYS[29]) == 1 then return { 'ok' } end
local removed = redis.call('UNLINK', KEYS[1], KEYS[2])
drop_lanes()
redis.call('SREM', KEYS[8], ARGV[1])
if removed == 0 then return { 'queueNotFound' } end
redis.call('SET', KEYS[29], '1 0', 'PX', ARGV[6])
return { 'ok' }

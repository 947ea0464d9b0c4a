-- Receive the next due message as RSMQ does: it is hidden for vt and counted.
--
-- KEYS[1] attributes  KEYS[2] schedule
-- ARGV[1] vt in seconds, '' for the queue's own
-- Returns {'ok', id, body, rc, fr}, {'ok'} where none is due, or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
redis.call('HDEL', KEYS[1], '')
-- include due

local id = due_ids(1)[1]
if not id then return { 'ok' } end
local vt = tonumber(ARGV[1]) or tonumber(attributes[1]) or 30
redis.call('ZADD', KEYS[2], whole(now_ms + vt * 1000), id)
redis.call('HINCRBY', KEYS[1], 'totalrecv', 1)
local rc = redis.call('HINCRBY', KEYS[1], id .. ':rc', 1)
if rc == 1 then redis.call('HSET', KEYS[1], id .. ':fr', whole(now_ms)) end
local body, fr = unpack(redis.call('HMGET', KEYS[1], id, id .. ':fr'))
return { 'ok', id, body, rc, fr or whole(now_ms) }

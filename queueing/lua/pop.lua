-- Receive the next due message and delete it in the same step.
--
-- KEYS[1] attributes  KEYS[2] schedule
-- Returns {'ok', id, body, rc, fr}, {'ok'} where none is due, or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
redis.call('HDEL', KEYS[1], '')
-- include due

local id = due_ids(1)[1]
if not id then return { 'ok' } end
redis.call('HINCRBY', KEYS[1], 'totalrecv', 1)
local body, rc, fr = unpack(redis.call('HMGET', KEYS[1], id, id .. ':rc', id .. ':fr'))
redis.call('ZREM', KEYS[2], id)
redis.call('HDEL', KEYS[1], id, id .. ':rc', id .. ':fr')
return { 'ok', id, body, (tonumber(rc) or 0) + 1, fr or whole(now_ms) }

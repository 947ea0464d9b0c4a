-- The records of all workers that have not left.
--
-- KEYS[1] workers
-- Returns {ms of now, name, record, name, record, …}; a record is "<ms of last heartbeat> <JSON>"
--
-- include clock
local reply = redis.call('HGETALL', KEYS[1])
table.insert(reply, 1, whole(now_ms))
return reply

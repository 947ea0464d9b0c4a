-- What waits in the outbox, and what did not fit into it.
--
-- KEYS[1] outbox  KEYS[2] outbox stats
-- Returns {entries, bytes, lost outcomes}
local stats = redis.call('HMGET', KEYS[2], 'bytes', 'lost')
return { redis.call('XLEN', KEYS[1]), stats[1] or '0', stats[2] or '0' }

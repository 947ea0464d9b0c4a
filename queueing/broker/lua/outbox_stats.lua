-- The size and age of the outbox, and its lost outcomes.
--
-- KEYS[1] outbox  KEYS[2] outbox stats
-- Returns {entries, bytes, lost outcomes, how many of those are acknowledged, age of the oldest entry in ms}
--
-- include clock
local stats = redis.call('HMGET', KEYS[2], 'bytes', 'lost', 'acknowledged')
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local waits_ms = oldest and now_ms - tonumber(string.match(oldest[1], '^%d+')) or 0
return { redis.call('XLEN', KEYS[1]), stats[1] or '0', stats[2] or '0', stats[3] or '0', math.max(0, waits_ms) }

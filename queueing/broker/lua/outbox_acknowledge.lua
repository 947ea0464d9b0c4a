-- Acknowledge lost outcomes. Their total keeps growing, because a counter of metrics never falls.
--
-- KEYS[1] outbox stats
-- ARGV[1] how many were lost by then
-- Returns how many were acknowledged for the first time
local stats = redis.call('HMGET', KEYS[1], 'lost', 'acknowledged')
-- include numbers
local before, now = stored_int(stats[2]) or 0, math.min(tonumber(ARGV[1]), stored_int(stats[1]) or 0)
if now <= before then return 0 end
redis.call('HSET', KEYS[1], 'acknowledged', now)
return now - before

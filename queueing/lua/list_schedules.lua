-- All schedules.
--
-- KEYS[1] schedules
-- Returns {now in ms, name, JSON as in lib/schedules.lua, name, …}
--
-- include clock
local reply = { whole(now_ms) }
for _, value in ipairs(redis.call('HGETALL', KEYS[1])) do reply[#reply + 1] = value end
return reply

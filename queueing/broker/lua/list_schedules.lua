-- All schedules.
--
-- KEYS[1] schedules
-- Returns {now ms, name, JSON as in lib/schedules.lua or '' if it cannot be read, name, …}
--
-- include clock
local schedules = KEYS[1]
-- include schedules
local reply = { whole(now_ms) }
local all = redis.call('HGETALL', schedules)
for i = 1, #all, 2 do
  reply[#reply + 1] = all[i]
  reply[#reply + 1] = schedule_in(all[i + 1]) and all[i + 1] or ''
end
return reply

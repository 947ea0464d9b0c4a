-- Free the slots that no lane holds, because another program has damaged the lanes. Forget the rates of keys of which
-- a message may start now: only the start of another message would forget them.
--
-- KEYS[1] slots  KEYS[2] held  KEYS[3] rates
-- Returns {how many were freed, the lanes that hold others}
--
-- include clock
-- include lane
local held, reply = {}, { 0 }
local fields = redis.call('HGETALL', KEYS[2])
for i = 2, #fields, 2 do
  local of_lane = lane_in(fields[i]).slots
  if of_lane then reply[#reply + 1] = fields[i - 1] end
  for _, of_message in pairs(of_lane or {}) do
    for _, slot in ipairs(type(of_message) == 'table' and of_message or {}) do held[slot] = true end
  end
end
for _, slot in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if not held[slot] then reply[1] = reply[1] + redis.call('ZREM', KEYS[1], slot) end
end
-- Rates have a little credit for workers that wake late: see lib/limits.lua.
local CREDIT_US, STEP, STEPS = 1000000, 1000, 10
for _ = 1, STEPS do
  local idle = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now_us - CREDIT_US), 'LIMIT', 0, STEP)
  if #idle == 0 then break end
  redis.call('ZREM', KEYS[3], unpack(idle))
end
return reply

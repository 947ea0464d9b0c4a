-- The server's clock is the only one that decides anything.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = math.floor(now_us / 1000)

-- Redis before 7 writes Lua numbers with 14 digits, too few for µs and fragile for ms.
local function whole(number)
  return string.format('%.0f', number)
end

-- Send one text without options, which is the most frequent send. It is stored as send.lua would store it, but with
-- half of the work. In unusual cases nothing is stored, and the caller sends the same call with send.lua.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] sender  KEYS[4] served  KEYS[5] idle  KEYS[6] hints
-- ARGV[1] number of the call, as in send.lua  ARGV[2] queue  ARGV[3] channel  ARGV[4] 22 random characters
-- ARGV[5] body  ARGV[6] ms for which a sender is remembered
-- Returns the id, or nothing in an unusual case
--
local remembered, sent_us = redis.call('GET', KEYS[3]), nil
if remembered then
  local number = string.match(remembered, '^%d+ ')
  if not number then return end
  if tonumber(number) >= tonumber(ARGV[1]) then sent_us = tonumber(string.match(remembered, '^%d+ (%d+)') or nil) end
end
local us, delay_s = sent_us, 0
if not sent_us then
  -- Other programs may have stored any text.
  local attributes = redis.call('HMGET', KEYS[1], 'vt', 'delay', 'maxsize')
  local delay, maxsize = attributes[2], attributes[3]
  if not (attributes[1] and delay and maxsize) then return end
  if delay ~= '0' then delay_s = tonumber(string.match(delay, '^%d%d?%d?%d?%d?%d?%d?$') or nil) end
  -- A text has at least as many bytes as UTF-16 units.
  local longest = maxsize == '65536' and 65536 or tonumber(string.match(maxsize, '^%d+$') or nil)
  if not delay_s or not (maxsize == '-1' or (longest and #ARGV[5] <= longest)) then return end
  local time = redis.call('TIME')
  us = time[1] * 1000000 + time[2]
end

local bytes, rest = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, us
for place = 10, 1, -1 do
  local digit = rest % 36
  bytes[place] = digit < 10 and digit + 48 or digit + 87
  rest = (rest - digit) / 36
end
local id = string.char(unpack(bytes)) .. ARGV[4]
if sent_us then
  -- As in send.lua: a write in any case.
  redis.pcall('SET', KEYS[3], remembered, 'PX', ARGV[6])
  return id
end

-- Lua has no rollback. If Redis refuses a command, what the ones before it have stored is removed.
local now_ms = math.floor(us / 1000)
local others = redis.pcall('ZCARD', KEYS[2])
local stored = type(others) == 'number' and redis.pcall('HSET', KEYS[1], id, ARGV[5])
local added = stored == 1 and redis.pcall('ZADD', KEYS[2], now_ms + delay_s * 1000, id)
local record = string.format('%s %d', ARGV[1], us)
local set = added == 1 and redis.pcall('SET', KEYS[3], record, 'PX', ARGV[6])
local sum = set and set.ok and redis.pcall('HINCRBY', KEYS[1], 'totalsent', 1)
if type(sum) ~= 'number' then
  if set and set.ok then redis.pcall('SET', KEYS[3], remembered or '0 0', 'PX', ARGV[6]) end
  if added == 1 then redis.pcall('ZREM', KEYS[2], id) end
  if stored == 1 then redis.pcall('HDEL', KEYS[1], id) end
  return
end
if redis.pcall('HGET', KEYS[4], ARGV[2]) then
local served, idle, hints = KEYS[4], KEYS[5], KEYS[6]
-- include numbers
-- include idle
  rouse(ARGV[2], 1)
end
-- An error for a user without permission for the channel would make the caller send again.
redis.pcall('PUBLISH', ARGV[3], others + 1)
return id

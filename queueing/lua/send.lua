-- Send messages. A sender numbers its calls, so a call that is repeated after a lost reply sends
-- nothing and returns what the first one did, even if a worker has long finished the messages.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] sender
-- ARGV[1] number of the call  ARGV[2] channel  ARGV[3] delay in seconds, '' for the queue's own
-- ARGV[4] ms for which a sender is remembered
-- ARGV[5…] per message: 22 random characters, its length in UTF-16 units, its body
-- Returns {'ok', µs of the first id} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end

local number, first_us = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+)$')
if number and tonumber(number) >= tonumber(ARGV[1]) then return { 'ok', first_us } end

local maxsize = tonumber(attributes[3]) or -1
local delay = tonumber(ARGV[3]) or tonumber(attributes[2]) or 0
for i = 6, #ARGV, 3 do
  if maxsize ~= -1 and tonumber(ARGV[i]) > maxsize then return { 'messageTooLong' } end
end

local DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'
local function base36(number_us)
  local text = ''
  while number_us > 0 do
    local digit = number_us % 36
    text = string.sub(DIGITS, digit + 1, digit + 1) .. text
    number_us = (number_us - digit) / 36
  end
  return text
end

local bodies, scores = {}, {}
for i = 5, #ARGV, 3 do
  local us = now_us + (i - 5) / 3
  local id = base36(us) .. ARGV[i]
  bodies[#bodies + 1], bodies[#bodies + 2] = id, ARGV[i + 2]
  scores[#scores + 1], scores[#scores + 2] = whole(math.floor(us / 1000) + delay * 1000), id
end

-- The bodies first: over maxmemory this write is refused, before anything else has changed.
redis.call('HSET', KEYS[1], unpack(bodies))
redis.call('ZADD', KEYS[2], unpack(scores))
redis.call('HINCRBY', KEYS[1], 'totalsent', #bodies / 2)
redis.call('SET', KEYS[3], ARGV[1] .. ' ' .. whole(now_us), 'PX', ARGV[4])
-- Once per message, for readers in Node that receive once per event.
local card = redis.call('ZCARD', KEYS[2])
for i = #bodies / 2 - 1, 0, -1 do
  redis.call('PUBLISH', ARGV[2], whole(card - i))
end
return { 'ok', whole(now_us) }

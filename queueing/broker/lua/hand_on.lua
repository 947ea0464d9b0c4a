-- Remove a child from the idle ones, and wake others for the queues that it was woken for. If it was the ear of
-- its set, another idle child becomes the ear.
--
-- KEYS[1] served  KEYS[2] idle  KEYS[3] hints (see lib/idle.lua)
-- ARGV[1] channel of the child  ARGV[2] digest of its queues  ARGV[3…] queues
-- Returns 'ok'
--
-- include clock
local served, idle, hints = KEYS[1], KEYS[2], KEYS[3]
-- include idle
redis.call('HDEL', served, '')
redis.pcall('ZREM', idle, ARGV[1])
for i = 3, #ARGV do rouse(ARGV[i], 1) end
local number = string.match(read_served(':' .. ARGV[2]), '^(%d+) ')
if number and string.match(read_served(':ear ' .. number), '^(.*) %d+$') == ARGV[1] then
  redis.pcall('HDEL', served, ':ear ' .. number)
  rouse_one(number, '')
end
return 'ok'

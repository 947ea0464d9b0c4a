-- Send messages, each of which has a sender of its own. If one of them was sent before, nothing is sent: the caller
-- then sends them one by one.
--
-- KEYS[1…8] as in send.lua, the third is not used  KEYS[9…] as in lib/put.lua, then the sender of each message
-- ARGV[1] the numbers of the calls  ARGV[4] ms for which a sender is remembered  the others as in lib/put.lua
-- Returns {'ok', …}, {'repeated'} or {RSMQ's error name}
--
-- include clock
local numbers = {}
for number in string.gmatch(ARGV[1], '%d+') do numbers[#numbers + 1] = number end
local before = #KEYS - #numbers
for i, number in ipairs(numbers) do
  local last = string.match(redis.call('GET', KEYS[before + i]) or '', '^(%d+) ')
  if last and tonumber(last) >= tonumber(number) then return { 'repeated' } end
end
local base_us = now_us
-- include put
for i, number in ipairs(numbers) do
  redis.call('SET', KEYS[before + i], number .. ' ' .. whole(base_us + i - 1), 'PX', ARGV[4])
end
return reply

-- Send messages, each of which has a sender of its own. A message that was sent before is not sent again. If some
-- were and others were not, nothing is sent: the caller then sends them one by one.
--
-- KEYS[1…8] as in send.lua, the third is not used  KEYS[9…] as in lib/put.lua, then the sender of each message
-- ARGV[1] the numbers of the calls  ARGV[4] ms for which a sender is remembered  the others as in lib/put.lua
-- Returns {'ok', …}, {'repeated'} or {RSMQ's error name}
--
-- include clock
local numbers, repeated = {}, 0
for number in string.gmatch(ARGV[1], '%d+') do numbers[#numbers + 1] = number end
local before = #KEYS - #numbers
for i, number in ipairs(numbers) do
  local remembered = redis.call('GET', KEYS[before + i]) or ''
  local last = string.match(remembered, '^(%d+) ')
  if last and tonumber(last) >= tonumber(number) then
    repeated = repeated + 1
    -- As in send.lua: WAIT waits only for the last write of its connection.
    redis.pcall('SET', KEYS[before + i], remembered, 'PX', ARGV[4])
  end
end
if repeated > 0 then return { repeated == #numbers and 'ok' or 'repeated' } end
local base_us = now_us
-- include put
for i, number in ipairs(numbers) do
  redis.call('SET', KEYS[before + i], number .. ' ' .. whole(base_us + i - 1), 'PX', ARGV[4])
end
return reply

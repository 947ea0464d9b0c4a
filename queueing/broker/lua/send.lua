-- Send messages. A sender numbers its calls. A call that is repeated after a lost reply sends nothing and
-- returns the reply of the first one. This holds even if a worker has finished the messages long ago.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] sender  KEYS[4] headers  KEYS[5] waking
-- KEYS[6] served  KEYS[7] idle  KEYS[8] hints  KEYS[9…] as in lib/put.lua
-- ARGV[1] number of the call  ARGV[4] ms for which a sender is remembered  the others as in lib/put.lua
-- Returns {'ok', µs of the first id, then for each message that had been sent before: its number, its first
-- id} or {RSMQ's error name}
--
-- include clock
local remembered = redis.call('GET', KEYS[3]) or ''
local number, first_us, others = string.match(remembered, '^(%d+) (%d+)(.*)$')

-- A repeat succeeds even if its queue has gone since, or takes only shorter messages now.
if number and tonumber(number) >= tonumber(ARGV[1]) then
  -- A write in any case: from Redis 7.2 on, WAIT waits only for the last write of its connection. A repeat must
  -- not fail for it over maxmemory.
  redis.pcall('SET', KEYS[3], remembered, 'PX', ARGV[4])
  local repeated = { 'ok', whole(tonumber(first_us)) }
  for index, id in string.gmatch(others, ' (%d+) (%S+)') do
    repeated[#repeated + 1], repeated[#repeated + 2] = tonumber(index), id
  end
  return repeated
end
local base_us = now_us
-- include put
-- The sender is remembered with the whole reply, which may name earlier messages.
local set = #bodies > 0 and redis.call or redis.pcall
set('SET', KEYS[3], ARGV[1] .. ' ' .. table.concat(reply, ' ', 2), 'PX', ARGV[4])
return reply

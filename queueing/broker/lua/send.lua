-- Send messages. A sender numbers its calls. A call that is repeated after a lost reply sends nothing and
-- returns the reply of the first one. This holds even if a worker has finished the messages long ago.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] sender  KEYS[4] headers  KEYS[5] waking
-- KEYS[6] served  KEYS[7] idle  KEYS[8] hints  KEYS[9…] deduplication
-- ARGV[1] number of the call  ARGV[4] ms for which a sender is remembered  the others as in lib/put.lua
-- Returns {'ok', µs of the first id, then for each message that had been sent before: its number, its first
-- id} or {RSMQ's error name}
--
-- include clock
local number, first_us = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+)$')
local is_repeat = number and tonumber(number) >= tonumber(ARGV[1])

local function has_deduplication()
  for i = 7 + 3 * ARGV[5], #ARGV, 3 do
    if ARGV[i] == 'once' then return true end
  end
  return false
end

-- A repeat succeeds even if its queue has gone since, or takes only shorter messages now.
if is_repeat and not has_deduplication() then
  redis.pcall('SET', KEYS[3], number .. ' ' .. first_us, 'PX', ARGV[4])
  return { 'ok', whole(tonumber(first_us)) }
end
local base_us = is_repeat and tonumber(first_us) or now_us
-- include put
if reply[1] == 'ok' then
  -- A write in any case: from Redis 7.2 on, WAIT waits only for the last write of its connection. A repeat must
  -- not fail for it over maxmemory.
  local set = #bodies > 0 and redis.call or redis.pcall
  set('SET', KEYS[3], (is_repeat and number or ARGV[1]) .. ' ' .. reply[2], 'PX', ARGV[4])
end
return reply

-- Withdraw a send, so that a process that is slow does not store it later. Its repeats are answered with 0 µs.
--
-- KEYS[1] sender
-- ARGV[1] number of the call  ARGV[2] ms for which a sender is remembered
-- Returns 1 if it is withdrawn, 0 if it was stored before
local number, first_us = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)')
if number and tonumber(number) >= tonumber(ARGV[1]) then return first_us == '0' and 1 or 0 end
redis.call('SET', KEYS[1], ARGV[1] .. ' 0', 'PX', ARGV[2])
return 1

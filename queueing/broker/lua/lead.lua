-- Become or stay the only relay of staged messages, or stop being it.
--
-- KEYS[1] relay
-- ARGV[1] relay  ARGV[2] ms for which no other may be it, '0' to stop
-- Returns 1, or 0 if another relay is at work
--
-- A value without a time to live comes from another program. It blocks no relay.
local other = redis.call('PTTL', KEYS[1]) > 0 and redis.call('GET', KEYS[1])
if other and other ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1

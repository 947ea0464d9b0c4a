-- Note how far a run is, if the message is still with it.
--
-- KEYS[1] attributes  KEYS[2] progress
-- ARGV[1] id  ARGV[2] rc  ARGV[3] fraction and note  ARGV[4] ms for which notes are kept
-- Returns 1, or 0 where the message has moved on
if redis.call('HGET', KEYS[1], ARGV[1] .. ':rc') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
-- A settle strikes it; what is never settled does not stay for ever.
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1

-- Store the progress of a run, if the receipt still fits.
--
-- KEYS[1] attributes  KEYS[2] progress
-- ARGV[1] id  ARGV[2] rc  ARGV[3] fraction and note  ARGV[4] ms for which progress is kept
-- Returns 1, or 0 if another receiver has the message
if redis.call('HGET', KEYS[1], ARGV[1] .. ':rc') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
-- A settle removes the field. The expiry removes fields of messages that are never settled.
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1

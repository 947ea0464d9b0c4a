-- Count an event whose number is limited per window of time.
--
-- KEYS[1] hits
-- ARGV[1] ms of the window, which begins with the first event
-- Returns the count in this window
local count = redis.pcall('INCR', KEYS[1])
if type(count) ~= 'number' then
  -- Another program has left a value that is not a count.
  redis.call('SET', KEYS[1], 1)
  count = 1
end
if count == 1 or redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count

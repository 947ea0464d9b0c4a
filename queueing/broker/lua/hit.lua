-- Count something that may happen only so often in a window.
--
-- KEYS[1] hits
-- ARGV[1] ms of the window, which begins with the first one
-- Returns the count in this window
local count = redis.pcall('INCR', KEYS[1])
if type(count) ~= 'number' then
  -- Another program has left something else here.
  redis.call('SET', KEYS[1], 1)
  count = 1
end
if count == 1 or redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count

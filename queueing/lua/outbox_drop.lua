-- Drop entries that are in the database now.
--
-- KEYS[1] outbox  KEYS[2] outbox stats
-- ARGV entry, bytes, …
-- Returns how many were still there
local dropped = 0
for i = 1, #ARGV, 2 do
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    redis.call('HINCRBY', KEYS[2], 'bytes', 0 - ARGV[i + 1])
    dropped = dropped + 1
  end
end
return dropped

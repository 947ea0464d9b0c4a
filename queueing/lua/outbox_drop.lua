-- Drop entries that are in the database now.
--
-- KEYS[1] outbox  KEYS[2] outbox stats  KEYS[3] unrecorded
-- ARGV entry, bytes, '1' where there are tasks in it, …
-- Returns how many were still there
--
-- include clock
-- include unrecorded
local dropped = 0
for i = 1, #ARGV, 3 do
  local entry = ARGV[i + 2] == '1' and redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then forget_tasks(KEYS[3], ARGV[i], entry[2]) end
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    redis.call('HINCRBY', KEYS[2], 'bytes', 0 - ARGV[i + 1])
    dropped = dropped + 1
  end
end
-- Who fills it can see that somebody empties it.
redis.call('HSET', KEYS[2], 'recorded', whole(now_ms))
return dropped

-- Drop entries that are stored in the database.
--
-- KEYS[1] outbox  KEYS[2] outbox stats  KEYS[3] unrecorded
-- ARGV per entry: number, bytes, '1' if it has outcomes of tasks, how many outcomes are lost with it
-- Returns how many entries still existed
--
-- include clock
-- include unrecorded
local dropped = 0
for i = 1, #ARGV, 4 do
  local entry = ARGV[i + 2] == '1' and redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then forget_tasks(KEYS[3], ARGV[i], entry[2]) end
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    count_up(KEYS[2], 'bytes', 0 - ARGV[i + 1])
    if ARGV[i + 3] ~= '0' then count_up(KEYS[2], 'lost', tonumber(ARGV[i + 3])) end
    dropped = dropped + 1
  end
end
-- Another program may have changed the counter. An empty outbox has no bytes.
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('HSET', KEYS[2], 'bytes', 0) end
-- The time of the last drop: settles check it to know whether a recorder empties the outbox.
redis.call('HSET', KEYS[2], 'recorded', whole(now_ms))
return dropped

-- Rebuild the schedule of a queue after it was lost, one step per call. Each message gets its place by the
-- time of its sending, due now. A message that a worker holds stays hidden for a while, until its lease is
-- extended.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
-- ARGV[1] cursor  ARGV[2] how many fields to read
-- Returns {next cursor, how many messages were put back}
--
-- include clock
-- include drain
-- include head
-- include lanes
local HIDDEN_MS = 60000
local running, count = running_ids(), 0
local cursor, found = unpack(redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2]))
for i = 1, #found, 2 do
  local id = found[i]
  if #id == 32 and string.match(id, '^[%w:]+$') then
    local score = running[id] and whole(now_ms + HIDDEN_MS) or head_score(id)
    count = count + redis.call('ZADD', KEYS[2], 'NX', score, id)
  end
end
return { cursor, count }

-- A worker's heartbeat, stamped with the server's time. It hears whether it was told to be quiet, and once
-- a minute one of all workers hears that it is its turn to note how the queues stand.
--
-- KEYS[1] workers  KEYS[2] quiet workers  KEYS[3] sampled  KEYS[4] QUEUES  KEYS[5] task queues
-- ARGV[1] its field  ARGV[2] JSON  ARGV[3] token of this life of the worker
-- ARGV[4] '1': it asks to which queues tasks were sent
-- Returns {1 where it is to be quiet, 1 where it is its turn, {queues to which tasks were sent and that are
-- there}, then, where it is its turn, the names of all queues}
--
-- include clock
local VISIBLE_MS = 3600000
-- Late in the minute, so that what is counted then belongs to it.
local turn = whole(math.floor((now_ms / 1000 + 10) / 60))
local told = redis.call('HGET', KEYS[2], ARGV[1])
local is_its_turn = redis.pcall('GET', KEYS[3]) ~= turn

redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], ARGV[1], whole(now_ms) .. ' ' .. ARGV[2])
if told and told ~= ARGV[3] then
  -- Another worker of that name was told.
  redis.call('HDEL', KEYS[2], ARGV[1])
  told = false
end
-- A set that another program has spoilt names nothing.
local function members(command, ...)
  local found = redis.pcall(command, ...)
  return found.err and {} or found
end

local sent_to = ARGV[4] == '1' and members('SINTER', KEYS[5], KEYS[4]) or {}
local reply = { told and 1 or 0, is_its_turn and 1 or 0, sent_to }
if not is_its_turn then return reply end

redis.call('SET', KEYS[3], turn, 'PX', 120000)
local workers = redis.call('HGETALL', KEYS[1])
for i = 1, #workers, 2 do
  if math.abs(now_ms - (stored_int(workers[i + 1]) or 0)) > VISIBLE_MS then
    redis.call('HDEL', KEYS[1], workers[i])
    redis.call('HDEL', KEYS[2], workers[i])
  end
end
for _, name in ipairs(members('SMEMBERS', KEYS[4])) do reply[#reply + 1] = name end
return reply

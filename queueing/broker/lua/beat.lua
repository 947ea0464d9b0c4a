-- Store a worker's heartbeat with the server's time. The reply carries the request to be quiet. Once a minute
-- one of all workers gets the turn to sample the queues.
--
-- KEYS[1] workers  KEYS[2] quiet workers  KEYS[3] sampled  KEYS[4] QUEUES  KEYS[5] task queues
-- KEYS[6] follow-ups  KEYS[7] opening batches
-- ARGV[1] field of the worker  ARGV[2] JSON  ARGV[3] token of this life of the worker
-- ARGV[4] '1' to ask for the task queues
-- Returns {1 to be quiet, else 0; 1 for the turn, else 0; {existing queues to which tasks were sent}; how many
-- messages and batches of dead senders may wait; then, with the turn, the names of all queues}
--
-- include clock
local VISIBLE_MS = 3600000
-- Late in the minute, so that the counts of the sample belong to this minute.
local turn = whole(math.floor((now_ms / 1000 + 10) / 60))
local asked = redis.call('HGET', KEYS[2], ARGV[1])
local is_its_turn = redis.pcall('GET', KEYS[3]) ~= turn

redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], ARGV[1], whole(now_ms) .. ' ' .. ARGV[2])
if asked and asked ~= ARGV[3] then
  -- The request was for another worker of the same name.
  redis.call('HDEL', KEYS[2], ARGV[1])
  asked = false
end
-- A set that another program has spoilt counts as empty.
local function members(command, ...)
  local found = redis.pcall(command, ...)
  return found.err and {} or found
end

local sent_to = ARGV[4] == '1' and members('SINTER', KEYS[5], KEYS[4]) or {}
local function size(command, key)
  local found = redis.pcall(command, key)
  return type(found) == 'number' and found or 0
end

local left = size('HLEN', KEYS[6]) + size('ZCARD', KEYS[7])
local reply = { asked and 1 or 0, is_its_turn and 1 or 0, sent_to, left }
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

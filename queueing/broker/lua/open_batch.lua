-- Open a batch, or confirm while its members are sent that their sender lives. The oldest batches are forgotten.
--
-- KEYS[1] batches  KEYS[2] batch order  KEYS[3] failed members  KEYS[4] follow-ups  KEYS[5] opening
-- ARGV[1] id  ARGV[2] JSON of the batch  ARGV[3] message after a success, or ''  ARGV[4] after a failure, or ''
-- Returns 1, or 0 if the batch was closed because its sender was away for too long
--
-- include clock
-- How many batches one call forgets, and among how many it looks for them: old ones that have not ended stay.
local STEP, SEEN = 20, 1000
local KEPT_MS, LONGEST_MS = 7 * 86400000, 30 * 86400000
local batches, order, failed, opening, id = KEYS[1], KEYS[2], KEYS[3], KEYS[5], ARGV[1]
redis.call('ZCARD', failed)
redis.call('ZCARD', opening)

local function forget_batch(old)
  redis.call('HDEL', batches, old, old .. ' done', old .. ' failed', old .. ' cancelled', old .. ' total',
    old .. ' on_success', old .. ' on_failure', old .. ' callback', old .. ' recalled', old .. ' ended')
  redis.call('ZREM', order, old)
  for _ = 1, 100 do
    local members = redis.call('ZRANGEBYLEX', failed, '[' .. old .. ' ', '(' .. old .. '!', 'LIMIT', 0, 1000)
    if #members == 0 then return end
    redis.call('ZREM', failed, unpack(members))
  end
end

if redis.call('HEXISTS', batches, id .. ' done') == 1 then
  if redis.call('HEXISTS', batches, id .. ' total') == 1 then return 0 end
  redis.call('ZADD', opening, whole(now_ms), id)
  return 1
end
redis.call('HSET', batches, id, ARGV[2], id .. ' done', 0, id .. ' failed', 0, id .. ' cancelled', 0)
if ARGV[3] ~= '' then redis.call('HSET', batches, id .. ' on_success', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', batches, id .. ' on_failure', ARGV[4]) end
redis.call('ZADD', order, whole(now_ms), id)
redis.call('ZADD', opening, whole(now_ms), id)
local old = redis.call('ZRANGEBYSCORE', order, '-inf', whole(now_ms - KEPT_MS), 'WITHSCORES', 'LIMIT', 0, SEEN)
local forgotten = 0
for i = 1, #old, 2 do
  local is_over = redis.call('HEXISTS', batches, old[i] .. ' ended') == 1
  if is_over or tonumber(old[i + 1]) < now_ms - LONGEST_MS then
    forget_batch(old[i])
    forgotten = forgotten + 1
    if forgotten == STEP then break end
  end
end
return 1

-- Close batches whose sender has died before it had sent all members, and read messages that are to be sent.
-- A batch that is closed is cancelled: its members that wait do not run, and its failure is reported.
--
-- KEYS[1] batches  KEYS[2] batch order  KEYS[3] failed members  KEYS[4] follow-ups  KEYS[5] opening
-- ARGV[1] ms after which a sender has died  ARGV[2] how many batches and messages
-- ARGV[3] cursor of the messages, 0 at first
-- Returns {the next cursor, messages to send now}
--
-- include clock
local batches, batch_order, failed_members, follow_ups = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- include members
check_members()
local limit = whole(now_ms - ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', limit, 'LIMIT', 0, ARGV[2])) do
  redis.call('ZREM', KEYS[5], id)
  if redis.call('HEXISTS', batches, id .. ' done') == 1 then
    redis.call('HSET', batches, id .. ' total', -1, id .. ' recalled', whole(now_ms))
    end_batch(id, 'cancelled')
    count_members(parent_of(id), { id }, 'cancelled')
  end
end
local cursor, found = unpack(redis.call('HSCAN', follow_ups, ARGV[3], 'COUNT', ARGV[2]))
local texts = { cursor }
for i = 2, #found, 2 do texts[#texts + 1] = found[i] end
return texts

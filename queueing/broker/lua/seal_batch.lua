-- Store how many members a batch has, after all are sent. If all have ended by then, the batch ends here.
--
-- KEYS[1] batches  KEYS[2] batch order  KEYS[3] failed members  KEYS[4] follow-ups  KEYS[5] opening
-- ARGV[1] id  ARGV[2] how many members
-- Returns {1 if it was sealed, 0 if it was closed because its sender was away for too long; the messages to
-- send now}
--
-- include clock
local batches, batch_order, failed_members, follow_ups = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- include members
check_members()
local id = ARGV[1]
local done, sealed = unpack(redis.call('HMGET', batches, id .. ' done', id .. ' total'))
if not done or (sealed and sealed ~= ARGV[2]) then return { 0 } end
if sealed then return { 1 } end
redis.call('HSET', batches, id .. ' total', ARGV[2])
redis.call('ZREM', KEYS[5], id)
count_members(id, {}, 'done')
return { 1, unpack(new_follow_ups) }

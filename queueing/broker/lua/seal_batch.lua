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
local id, total = ARGV[1], tonumber(ARGV[2])
local done, failed, cancelled, sealed = unpack(redis.call('HMGET', batches, id .. ' done', id .. ' failed',
  id .. ' cancelled', id .. ' total'))
if not done or (sealed and sealed ~= ARGV[2]) then return { 0 } end
if sealed then return { 1 } end
redis.call('HSET', batches, id .. ' total', ARGV[2])
redis.call('ZREM', KEYS[5], id)
done, failed, cancelled = stored_int(done) or 0, stored_int(failed) or 0, stored_int(cancelled) or 0
if done + failed + cancelled == total then
  local word = failed > 0 and 'failed' or cancelled > 0 and 'cancelled' or 'done'
  end_batch(id, word)
  count_members(parent_of(id), { id }, word, '')
end
return { 1, unpack(new_follow_ups) }

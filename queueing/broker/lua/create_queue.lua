-- Create a queue. An existing queue that is missing in the index is added to it again.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] sender
-- ARGV[1] name  ARGV[2] vt  ARGV[3] delay  ARGV[4] maxsize  ARGV[5] ms for which the sender is remembered
-- Returns {'ok'} or {RSMQ's error name}
--
-- include clock
-- include queue
-- An earlier try of this call has created the queue.
if redis.call('EXISTS', KEYS[9]) == 1 then return { 'ok' } end
redis.call('SADD', KEYS[8], ARGV[1])
if queue_exists then return { 'queueExists' } end
-- A send that raced with a deletion may have left messages. The new queue must not deliver them.
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[1], 'vt', ARGV[2], 'delay', ARGV[3], 'maxsize', ARGV[4],
  'created', time[1], 'modified', time[1])
redis.call('SET', KEYS[9], '1 0', 'PX', ARGV[5])
return { 'ok' }

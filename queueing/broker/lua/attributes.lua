-- RSMQ's nine attributes of a queue. Those that are given are changed first.
--
-- KEYS as in lib/queue.lua
-- ARGV[1…] name, value, …
-- Returns {'ok', vt, delay, maxsize, totalrecv, totalsent, created, modified, msgs, hiddenmsgs}
-- or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
if #ARGV > 0 then
  -- HDEL permits the change over maxmemory, too. It runs only for a change, so that a replica can be read.
  redis.call('HDEL', KEYS[1], '')
  redis.call('HSET', KEYS[1], 'modified', time[1], unpack(ARGV))
end
-- include attributes
return attributes_reply()

-- Change attributes of a queue and return RSMQ's nine.
--
-- KEYS as in lib/queue.lua
-- ARGV[1…] name, value, …
-- Returns the reply of attributes.lua
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include drain
redis.call('HSET', KEYS[1], 'modified', time[1], unpack(ARGV))
-- include attributes
return attributes_reply()

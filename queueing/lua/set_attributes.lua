-- Change attributes of a queue and return them all.
--
-- KEYS[1] attributes  KEYS[2] schedule
-- ARGV[1…] name, value, …
-- Returns what attributes.lua does
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
redis.call('HSET', KEYS[1], 'modified', time[1], unpack(ARGV))
-- include attributes
return attributes_reply()

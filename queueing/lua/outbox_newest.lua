-- Look at the newest entries of the outbox.
--
-- KEYS[1] outbox
-- ARGV[1] how many
-- Returns the entries as XREVRANGE does
return redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])

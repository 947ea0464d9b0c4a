-- Whether a queue is there.
--
-- KEYS[1] attributes
-- Returns 1 or 0
return redis.call('HEXISTS', KEYS[1], 'vt')

-- Check whether a queue exists.
--
-- KEYS[1] attributes
-- Returns 1 or 0
return redis.call('HEXISTS', KEYS[1], 'vt')

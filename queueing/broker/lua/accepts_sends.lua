-- Check that Redis accepts sends. Unlike ping.lua, a Redis over maxmemory refuses this script: nothing is
-- written, but SET may need memory.
--
-- KEYS[1] a key that never exists  KEYS[2] any other key of the namespace: without a hash tag, a cluster
-- refuses two keys
-- Returns 1
redis.call('SET', KEYS[1], '', 'XX')
return 1

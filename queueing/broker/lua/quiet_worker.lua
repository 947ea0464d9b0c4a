-- Tell a worker to claim nothing, or to claim again. It hears it with its next heartbeat; one that is
-- started anew under the same name has been told nothing.
--
-- KEYS[1] quiet workers
-- ARGV[1] its field  ARGV[2] token of its life, '' to claim again
if ARGV[2] == '' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])

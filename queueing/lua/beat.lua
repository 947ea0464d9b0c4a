-- A worker's heartbeat, stamped with the server's time.
--
-- KEYS[1] workers
-- ARGV[1] name  ARGV[2] JSON
--
-- include clock
redis.call('HDEL', KEYS[1], '')
redis.call('HSET', KEYS[1], ARGV[1], whole(now_ms) .. ' ' .. ARGV[2])
return 1

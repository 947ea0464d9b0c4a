-- Cancel a batch that has not ended: workers do not start its members any more.
--
-- KEYS[1] batches
-- ARGV[1] id
-- Returns 'ok', 'ended' or 'unknown'
--
-- include clock
local done, ended = unpack(redis.call('HMGET', KEYS[1], ARGV[1] .. ' done', ARGV[1] .. ' ended'))
if not done then return 'unknown' end
if ended then return 'ended' end
redis.call('HSET', KEYS[1], ARGV[1] .. ' recalled', whole(now_ms))
return 'ok'

-- Tell a worker to claim nothing, or to claim again. It hears it with its next heartbeat; one that is
-- started anew under the same name has been told nothing.
--
-- KEYS[1] workers  KEYS[2] quiet workers
-- ARGV[1] name  ARGV[2] '1' or '' to claim again
-- Returns 1, or 0 where there is no such worker
local text = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^%d+ (.*)$')
if not text then return 0 end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[2], ARGV[1])
  return 1
end
local is_json, record = pcall(cjson.decode, text)
local token = is_json and type(record) == 'table' and record.token
if type(token) ~= 'string' then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], token)
return 1

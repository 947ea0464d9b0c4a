-- The keys of a queue whose messages wait for a limit, without a scan of the messages.
--
-- KEYS[1] slots  KEYS[2] line
-- ARGV[1] key of the limit of the whole queue  ARGV[2] how many keys
-- Returns {how many messages of the whole queue hold a slot, how many wait for the limit of a key, then for each
-- key: the key, how many of its messages run, how many wait}
local function count(zset, key)
  return redis.call('ZLEXCOUNT', zset, '[' .. key .. '\1', '(' .. key .. '\2')
end

local reply = { count(KEYS[1], ARGV[1]), redis.call('ZCARD', KEYS[2]) }
local after = '-'
for _ = 1, ARGV[2] do
  local place = redis.call('ZRANGEBYLEX', KEYS[2], after, '+', 'LIMIT', 0, 1)[1]
  local key = string.match(place or '', '^([^\1]+)\1')
  if not key then break end
  reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = key, count(KEYS[1], key), count(KEYS[2], key)
  after = '(' .. key .. '\2'
end
return reply

-- Read batches: the newest, or those with the given ids.
--
-- KEYS[1] batches  KEYS[2] batch order
-- ARGV[1], ARGV[2] first and last rank from the newest, or '' and ''  ARGV[3…] ids
-- Returns {how many there are, then for each that exists: {id, JSON, done, failed, cancelled, total, ended, callback,
-- recalled}}
local ids = {}
if ARGV[1] ~= '' then
  ids = redis.call('ZREVRANGE', KEYS[2], ARGV[1], ARGV[2])
else
  for i = 3, #ARGV do ids[#ids + 1] = ARGV[i] end
end
local reply = { redis.call('ZCARD', KEYS[2]) }
local NAMES = { 'done', 'failed', 'cancelled', 'total', 'ended', 'callback', 'recalled' }
for _, id in ipairs(ids) do
  local fields, row = { id }, { id }
  for i, name in ipairs(NAMES) do fields[i + 1] = id .. ' ' .. name end
  for _, value in ipairs(redis.call('HMGET', KEYS[1], unpack(fields))) do row[#row + 1] = value or '' end
  if row[2] ~= '' then reply[#reply + 1] = row end
end
return reply

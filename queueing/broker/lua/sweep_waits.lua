-- Delete the entries in `waits` of a queue in whose line no message waits for the limit any more, one step per call.
-- The end of a run deletes its entry. An entry stays if the last message that waited was purged, or got another key.
--
-- KEYS[1] waits  KEYS[2] line (see lib/limits.lua)
-- ARGV[1] name of the queue  ARGV[2] cursor  ARGV[3] how many entries to read
-- Returns {next cursor, how many entries were deleted}
local cursor, found = unpack(redis.call('ZSCAN', KEYS[1], ARGV[2], 'COUNT', ARGV[3]))
local deleted = 0
for i = 1, #found, 2 do
  local queue, key = string.match(found[i], '^\1([^\1]*)\1(.*)$')
  if not queue then key, queue = string.match(found[i], '^([^\1]*)\1([^\1]*)$') end
  local is_over = queue == ARGV[1] and redis.call('ZLEXCOUNT', KEYS[2], '[' .. key .. '\1', '(' .. key .. '\2') == 0
  if is_over then deleted = deleted + redis.call('ZREM', KEYS[1], found[i]) end
end
return { cursor, deleted }

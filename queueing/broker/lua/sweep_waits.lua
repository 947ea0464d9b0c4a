-- Delete the entries in `waits` of a queue in whose line no message waits for the limit any more, one step per call.
-- The end of a run deletes its entry. An entry stays if the last message that waited was purged, or got another key.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] 'waits'  ARGV[7] cursor  ARGV[8] how many entries to read
-- Returns {next cursor, 0}: the messages of these entries were counted when they were deleted
-- include keys
local cursor, found = unpack(redis.call('ZSCAN', waits, ARGV[7], 'COUNT', ARGV[8]))
for i = 1, #found, 2 do
  local queue, key = string.match(found[i], '^\1([^\1]*)\1(.*)$')
  if not queue then key, queue = string.match(found[i], '^([^\1]*)\1([^\1]*)$') end
  local is_over = queue == ARGV[1] and redis.call('ZLEXCOUNT', line, '[' .. key .. '\1', '(' .. key .. '\2') == 0
  if is_over then redis.call('ZREM', waits, found[i]) end
end
return { cursor, 0 }

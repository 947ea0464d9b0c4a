-- Read the members of a batch that have failed: messages and batches.
--
-- KEYS[1] failed members
-- ARGV[1] id of the batch  ARGV[2] the member after which to begin, '' for the first  ARGV[3] how many
-- Returns "<id> <queue in which it died>", with '' as the queue of a batch
local prefix = ARGV[1] .. ' '
local first = ARGV[2] == '' and '[' .. prefix or '(' .. prefix .. ARGV[2]
local found = redis.call('ZRANGEBYLEX', KEYS[1], first, '(' .. ARGV[1] .. '!', 'LIMIT', 0, ARGV[3])
for i, name in ipairs(found) do found[i] = string.sub(name, #prefix + 1) end
return found

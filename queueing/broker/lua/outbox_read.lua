-- Read the oldest outcomes for one recorder at a time. Entries of a format newer than this release stay for a
-- newer recorder.
--
-- KEYS[1] outbox  KEYS[2] recorder  KEYS[3] owner
-- ARGV[1] recorder  ARGV[2] ms for which nobody else reads  ARGV[3] entries to look at
-- ARGV[4] the entry behind which it begins, '' for the first
-- ARGV[5] ms for which nobody else reads where a newer recorder is needed
-- ARGV[6] identity of the database of this recorder, '' for a reader that records nothing. The first one owns
-- the outbox
-- Returns {its entries as XRANGE does, how many it leaves to a newer recorder, the last entry it looked at},
-- nil where another recorder is at work, or 'owned' where the outbox belongs to another database
--
-- include numbers
-- include entries
redis.call('XDEL', KEYS[1], '0-0')
if ARGV[6] ~= '' then
  local owner = redis.call('GET', KEYS[3])
  if not owner then
    redis.call('SET', KEYS[3], ARGV[6])
  elseif owner ~= ARGV[6] then
    return 'owned'
  end
end
-- A value without a time to live is another program's, and keeps no recorder away.
local other = redis.call('PTTL', KEYS[2]) > 0 and redis.call('GET', KEYS[2])
if other and other ~= ARGV[1] then return false end
local first = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local found = redis.call('XRANGE', KEYS[1], first, '+', 'COUNT', ARGV[3])
if #found == 0 then
  redis.call('DEL', KEYS[2])
  return { {}, 0, '' }
end
local entries = {}
for _, entry in ipairs(found) do
  if format_of(entry[2]) <= FORMAT then entries[#entries + 1] = entry end
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', #entries < #found and ARGV[5] or ARGV[2])
return { entries, #found - #entries, found[#found][1] }

-- Read the oldest outcomes, for one recorder at a time. Entries of a newer format than this release knows
-- stay for a newer recorder. The first recorder's database becomes the owner of the outbox.
--
-- KEYS[1] outbox  KEYS[2] recorder  KEYS[3] owner
-- ARGV[1] recorder  ARGV[2] ms for which no other recorder may read  ARGV[3] how many entries to read
-- ARGV[4] the entry after which to begin, '' for the first
-- ARGV[5] the same ms if a newer recorder is needed
-- ARGV[6] identity of the recorder's database, '' for a reader that records nothing
-- Returns {entries as XRANGE does, how many are left to a newer recorder, number of the last entry read}, nil
-- if another recorder is at work, or 'owned' if the outbox belongs to another database
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
-- A value without a time to live comes from another program. It blocks no recorder.
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

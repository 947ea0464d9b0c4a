-- Delete the hash fields of messages that no longer exist, and their members of sorted sets, one step per call. A
-- program that deletes messages in RSMQ's way leaves the fields that RSMQ does not know. A program that receives a
-- phantom leaves its count. A member of a batch counts as cancelled.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] 'attributes', 'ends', 'headers', 'unique', 'line' or 'waking'  ARGV[7] cursor  ARGV[8] how many to read
-- Returns {next cursor, how many fields and members were deleted}
-- include clock
-- include keys
-- include unique
-- include members
local key = ({ attributes = KEYS[1], ends = KEYS[3], headers = KEYS[4], unique = KEYS[24], line = line,
  waking = waking })[ARGV[6]]
local is_line = key == line
local is_sorted_set = is_line or key == waking

-- A key whose newest message is gone belongs to the one before it.
local function exists(id)
  if key == KEYS[24] and redis.call('HEXISTS', KEYS[1], id) == 0 then
    local _, before = unique_of(key, id)
    id = before or id
  end
  return redis.call('HEXISTS', KEYS[1], id) == 1
end

local cursor, found = unpack(redis.call(is_sorted_set and 'ZSCAN' or 'HSCAN', key, ARGV[7], 'COUNT', ARGV[8]))
local orphans, lost = {}, {}
for i = 1, #found, 2 do
  local owner = found[i]
  -- A place is a key, a priority and an id: see lib/limits.lua.
  if is_line then owner = string.match(owner, '^[^\1]*\1%d%d%d\1(.*)$') or owner end
  if key == KEYS[1] then owner = string.match(owner, '^(.+):rc$') or string.match(owner, '^(.+):fr$') end
  if key == KEYS[24] and string.sub(owner, 1, 2) == 'k:' then owner = found[i + 1] end
  -- An id may itself end in :rc, so a field that is a message does not belong to another one.
  local is_message = key == KEYS[1] and redis.call('ZSCORE', KEYS[2], found[i])
  if owner and not is_message and not exists(owner) then
    orphans[#orphans + 1] = found[i]
    if key == KEYS[4] then lost[#lost + 1], lost[#lost + 2] = found[i], found[i + 1] end
  end
end
if #lost > 0 then check_members() end
for _, orphan in ipairs(orphans) do redis.call(is_sorted_set and 'ZREM' or 'HDEL', key, orphan) end
count_each(lost, 'cancelled')
return { cursor, #orphans }

-- Find the message of a task and its outcomes that are not in the database yet, at one moment.
--
-- KEYS[1] unrecorded  KEYS[2] outbox  KEYS[3] held  KEYS[4] follow-ups
-- KEYS[5…] for each queue in which it may be: attributes, schedule, ends, leases
-- ARGV[1] id
-- Returns {number of its queue or 0, entries of the outbox as XRANGE does, body, rc, fr, its ends, lane that
-- holds it}; missing values are '', a missing rc is '0'. The number is -1 for a step of a chain or a callback that
-- is about to be sent: the body is then its JSON
--
-- include clock
-- include lane
local id = ARGV[1]

local function lane_of(first)
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[first + 3], '(' .. whole(now_ms), '+inf')) do
    local held = lane_in(redis.call('HGET', KEYS[3], lane)).held
    for i = 1, #held, 2 do
      if held[i] == id then return lane end
    end
  end
  return ''
end

local entries = {}
for entry in string.gmatch(redis.call('HGET', KEYS[1], id) or '', '%S+') do
  -- Another program may have left a value that is not the number of an entry.
  local found = #entry < 42 and redis.pcall('XRANGE', KEYS[2], entry, entry) or {}
  entries[#entries + 1] = found[1]
end
for first = 5, #KEYS - 3, 4 do
  local body, rc, fr = unpack(redis.call('HMGET', KEYS[first], id, id .. ':rc', id .. ':fr'))
  if body and redis.call('ZSCORE', KEYS[first + 1], id) then
    local ends = redis.call('HGET', KEYS[first + 2], id) or ''
    return { (first - 1) / 4, entries, body, rc or '0', fr or '', ends, lane_of(first) }
  end
end
local unsent = redis.call('HGET', KEYS[4], id)
return { unsent and -1 or 0, entries, unsent or '', '0', '', '', '' }

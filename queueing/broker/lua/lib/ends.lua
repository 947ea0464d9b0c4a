-- The ends of a message: see lib/queue.lua
local COUNTS = { 'failed', 'crashed', 'released', 'claimed_ms', 'vanished', 'moved', 'unheld_rc' }

-- All are 0 if another program has stored another value.
local function ends_in(text)
  local next_count = string.gmatch(string.match(text or '', '^%d+ %d+ %d+[ %d]*$') or '', '%d+')
  local ends = {}
  for _, name in ipairs(COUNTS) do ends[name] = receive_count(next_count()) end
  return ends
end

local function read_ends(id)
  return ends_in(redis.call('HGET', KEYS[3], id))
end

-- Zeros at the end are left out.
local function ends_text(ends)
  local counts, last = {}, 3
  for i, name in ipairs(COUNTS) do
    counts[i] = whole(ends[name])
    if ends[name] > 0 then last = math.max(last, i) end
  end
  return table.concat(counts, ' ', 1, last)
end

-- Whether a receiver may still hold a message: it was received `rc` times, and not all of these deliveries have ended.
local function may_be_held(rc, ends)
  return rc > ends.failed + ends.crashed + ends.released and rc ~= ends.unheld_rc
end

-- Store the ends of a message of which a delivery has ended. If nobody holds the message now, `rc` is how often it was
-- received: only deliveries that earlier receivers let time out have not ended then.
local function write_ends(id, ends, rc)
  ends.claimed_ms, ends.unheld_rc = 0, 0
  if rc and may_be_held(rc, ends) then ends.unheld_rc = rc end
  redis.call('HSET', KEYS[3], id, ends_text(ends))
end

-- When the present delivery of a message was claimed, else when it was first received; 0 if unknown.
local function claimed_ms(id, ends)
  return ends.claimed_ms > 0 and ends.claimed_ms or receive_count(redis.call('HGET', KEYS[1], id .. ':fr'))
end

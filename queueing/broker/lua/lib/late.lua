-- When first deliveries were due, where that was later than their sending: id -> ms. Asked for each in
-- the order of delivery, before it is leased.
--
-- Scores cost as much as all the rest of reading ids, so they are only asked for where it may be needed:
-- of the first, and after one that was late or that was sent after this one. What is still overlooked
-- lies behind one that was sent earlier and has waited longer than it seems to have waited.
-- include bands
local late_ms = {}
local last_on_time

local function note_due(id)
  if last_on_time and id >= last_on_time then
    last_on_time = id
    return
  end
  local due_ms = tonumber(redis.call('ZSCORE', KEYS[2], id) or nil)
  local sent_us = tonumber(string.sub(id, 1, 10), 36)
  if not due_ms then return end
  -- Its place in the line is no time.
  if now_ms - due_ms >= BAND_MS then due_ms = due_ms + band_of(id) end
  -- A score that is no moment of this millennium is not one at which a message was due.
  if due_ms < 0 or due_ms > now_ms then return end
  if sent_us and math.abs(due_ms - sent_us / 1000) <= 1 then
    last_on_time = id
  else
    late_ms[id] = whole(due_ms)
    last_on_time = nil
  end
end

-- The due times in ms of first deliveries that were due later than they were sent, by id. note_due is called
-- for each message in delivery order, before it is leased.
--
-- Reading a score costs as much as all other reads of a message. So it is read only for the first message,
-- after a late one, and after one that was sent later than this one. A late message is missed only behind a
-- message that was sent before it; that one has then waited longer than it seems.
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
  -- A score inside a band is a place in the order, not a time.
  if now_ms - due_ms >= BAND_MS then due_ms = due_ms + band_of(id) end
  -- A negative or future score was not the due time of this message.
  if due_ms < 0 or due_ms > now_ms then return end
  if sent_us and math.abs(due_ms - sent_us / 1000) <= 1 then
    last_on_time = id
  else
    late_ms[id] = whole(due_ms)
    last_on_time = nil
  end
end

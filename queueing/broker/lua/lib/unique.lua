-- Unique messages. The hash `unique` has two fields for each message with a key:
--   'k:' and the digest of the key -> the id of the newest message with that key
--   the id -> "digest, id of the message that must end before it, id of the message that waits for its end, ms
--     from which it may run"; '-' for no id
--
-- A message that must wait for another one is parked: it sleeps until the other one ends. An id whose message is
-- gone counts as none, so a key never blocks longer than its message exists.
local PARKED_MS = 10000

-- Nothing if another program has written another value.
local function unique_of(key, id)
  local digest, before, after, due_ms = string.match(redis.call('HGET', key, id) or '', '^(%S+) (%S+) (%S+) (%d+)$')
  if digest and #due_ms <= 15 then return digest, before, after, due_ms end
end

-- The ms at which to check again that a message must wait for `before`; nil if that message is gone. A program
-- that deletes a message in RSMQ's way makes no other due, so the check is never later than PARKED_MS from now.
local function parked_behind(before)
  local due_ms = tonumber(redis.call('ZSCORE', KEYS[2], before) or nil)
  local latest_ms = now_ms + PARKED_MS
  return due_ms and (due_ms > now_ms and math.min(due_ms, latest_ms) or latest_ms)
end

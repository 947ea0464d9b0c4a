-- Delete messages, by id or by receipt. An id deletes the message even if another reader holds it; a receipt
-- deletes it only if it still fits. A member of a batch counts as cancelled.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6…] per message: id, rc of the receipt or ''
-- Returns {1 or 0 for each} (RSMQ does not check that the queue exists)
--
-- include remove
local delete, finish = remove, nil
-- Nothing follows a message without headers.
if redis.call('HLEN', KEYS[4]) > 0 then
  -- include clock
  -- include leave
  -- include next
  check_leaving()
  delete, finish = forget, start_next
end
local reply = {}
for i = 6, #ARGV, 2 do
  local id, rc = ARGV[i], ARGV[i + 1]
  local is_valid = rc == '' or redis.call('HGET', KEYS[1], id .. ':rc') == rc
  reply[#reply + 1] = is_valid and delete(id, 'cancelled') and 1 or 0
end
if finish then finish() end
return reply

-- Receive the next due message and delete it in the same step. A member of a batch counts as cancelled.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- Returns the reply of receive.lua
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include dead_letters
local reply = { 'ok', whole(now_ms), 0 }
if is_paused then return reply end
-- include drain
-- include bury
-- include due

wake(waking, KEYS[24])
for _ = 1, 500 do
  local id = due_ids(1)[1]
  if not id then return reply end
  local body, rc, fr = unpack(redis.call('HMGET', KEYS[1], id, id .. ':rc', id .. ':fr'))
  rc = receive_count(rc)
  local headers = redis.call('HGET', KEYS[4], id) or ''
  if is_worn_out(id, rc) then
    bury(id)
  elseif not may_not_start(waking, KEYS[24], id, headers) then
    check_burial()
    count_up(KEYS[1], 'totalrecv', 1)
    forget(id, 'cancelled')
    start_next()
    return { 'ok', whole(now_ms), 0, id, body, rc + 1, fr or whole(now_ms), headers }
  end
end
-- The limit of worn-out and sleeping messages per call is reached. The rest waits for the next call.
reply[3] = whole(now_ms)
return reply

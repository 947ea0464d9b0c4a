-- Change when messages become visible again, by id or by receipt. An id applies even if another reader holds
-- the message; a receipt applies only if it still fits.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] vt in seconds, or 'release': now, at the head, and not counted as a receive
-- ARGV[7…] per message: id, rc of the receipt or ''
-- Returns {'ok', 1 or 0 for each} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include drain
-- include leave
check_leaving()
local reply, released = { 'ok' }, false
for i = 7, #ARGV, 2 do
  local id, rc = ARGV[i], ARGV[i + 1]
  local is_there = redis.call('ZSCORE', KEYS[2], id)
  if not is_there or (rc ~= '' and redis.call('HGET', KEYS[1], id .. ':rc') ~= rc) then
    reply[#reply + 1] = 0
  else
    if ARGV[6] == 'release' and tonumber(is_there) == tonumber(head_score(id)) then
      -- The message is at the head already: this is a repeated call, which must not count again.
      released = true
    elseif ARGV[6] == 'release' then
      local failed, crashed, given_back = read_ends(id)
      write_ends(id, failed, crashed, given_back + 1)
      redis.call('ZADD', KEYS[2], head_score(id), id)
      redis.call('ZREM', waking, id)
      released = true
    else
      local due_ms, headers = now_ms + ARGV[6] * 1000, redis.call('HGET', KEYS[4], id)
      -- The line for a limit would give it an earlier time.
      if headers then leave_line(id, headers) end
      redis.call('ZADD', KEYS[2], whole(due_ms), id)
      if priority_in(headers) > 0 then sleep_in(waking, id, due_ms) end
    end
    reply[#reply + 1] = 1
  end
end
if released then announce(ARGV[4]) end
start_next()
return reply

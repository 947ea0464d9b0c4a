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

local function change(id)
  redis.call('ZADD', KEYS[2], whole(now_ms + ARGV[6] * 1000), id)
end

local finish
if ARGV[6] == 'release' or redis.call('HLEN', KEYS[4]) > 0 then
  -- include leave
  -- include next
  check_leaving()
  finish = start_next
  function change(id, score)
    if ARGV[6] ~= 'release' then
      local headers = redis.call('HGET', KEYS[4], id)
      -- The line for a limit would give it an earlier time.
      if headers then leave_line(id, headers) end
      put_off(id, now_ms + ARGV[6] * 1000)
      return
    end
    -- A message that is at the head already was released by an earlier try of this call. It must not count again.
    if tonumber(score) == tonumber(head_score(id)) then return end
    local ends = read_ends(id)
    ends.released = ends.released + 1
    come_due(id, head_score(id))
    write_ends(id, ends, receive_count(redis.call('HGET', KEYS[1], id .. ':rc')))
  end
end

local reply = { 'ok' }
for i = 7, #ARGV, 2 do
  local id, rc = ARGV[i], ARGV[i + 1]
  local score = redis.call('ZSCORE', KEYS[2], id)
  local is_valid = score and (rc == '' or redis.call('HGET', KEYS[1], id .. ':rc') == rc)
  if is_valid then change(id, score) end
  reply[#reply + 1] = is_valid and 1 or 0
end
if finish then finish() end
return reply

-- Receive due messages as RSMQ does: each is hidden for vt and counted, or popped: deleted in the same step. A member
-- of a batch that is popped counts as cancelled. A message that is worn out by the queue's redrive policy goes to the
-- dead-letter queue instead.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] vt in seconds, '' for the queue's own, or 'pop'  ARGV[7] how many  ARGV[8] bytes of bodies at which to stop
-- Returns {'ok', now ms, next due ms or 0, then id, body, rc, fr, headers or '' for each},
-- {RSMQ's error name}, or the reply of lib/dead_letters.lua
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include dead_letters
local reply = { 'ok', whole(now_ms), 0 }
if is_paused then return reply end
-- include drain
-- include keys
-- include due
-- include remove

if redis.call('EXISTS', waking) == 1 then
  -- include waking
  wake()
end
local vt = tonumber(ARGV[6]) or stored_int(attributes[1]) or 30
local hidden_until = whole(now_ms + vt * 1000)
local with_headers, pops = redis.call('HLEN', KEYS[4]) > 0, ARGV[6] == 'pop'
local delete, passes_over, put_aside, finish = remove, nil, nil, nil
-- Without headers nothing follows a message, and without a redrive policy none is worn out.
if with_headers or max_receive_count then
  -- include bury
  -- include next
  if pops then check_burial() end
  delete, finish = forget, start_next

  -- Whether a message is not to be received: it is worn out, or waits for another one.
  function passes_over(id, rc, headers)
    if not is_worn_out(id, rc) then return may_not_start(id, headers) end
    bury(id)
    return true
  end

  -- Take a message with headers out of its line and out of the band of its priority.
  function put_aside(id, headers)
    leave_line(id, headers)
    if priority_in(headers) > 0 then redis.call('ZADD', waking, hidden_until, id) end
  end
end

local wanted, bytes, taken = tonumber(ARGV[7]), 0, 0
local scores, fields = {}, {}
local passed, more = 0, true
while more and taken == 0 and passed < 500 do
  local ids = due_ids(wanted)
  local before = passed
  for _, id in ipairs(ids) do
    local body, rc, fr = unpack(redis.call('HMGET', KEYS[1], id, id .. ':rc', id .. ':fr'))
    rc = receive_count(rc)
    local headers = with_headers and redis.call('HGET', KEYS[4], id) or ''
    if passes_over and passes_over(id, rc, headers) then
      passed = passed + 1
    else
      rc = rc + 1
      if rc == 1 or not fr then fr = whole(now_ms) end
      for _, value in ipairs({ id, body, rc, fr, headers }) do reply[#reply + 1] = value end
      if pops then
        delete(id, 'cancelled')
      else
        scores[#scores + 1], scores[#scores + 2] = hidden_until, id
        fields[#fields + 1], fields[#fields + 2] = id .. ':rc', rc
        if rc == 1 then fields[#fields + 1], fields[#fields + 2] = id .. ':fr', fr end
        if headers ~= '' then put_aside(id, headers) end
      end
      taken = taken + 1
      bytes = bytes + #body
      if bytes >= tonumber(ARGV[8]) then break end
    end
  end
  more = passed > before
end
if taken > 0 then
  count_up(KEYS[1], 'totalrecv', taken)
  if not pops then
    redis.call('ZADD', KEYS[2], unpack(scores))
    redis.call('HSET', KEYS[1], unpack(fields))
  end
  if finish then finish() end
else
  local next_due = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. whole(now_ms), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if next_due[2] then reply[3] = whole(tonumber(next_due[2])) end
  if more and passed > 0 then reply[3] = whole(now_ms) end
end
return reply

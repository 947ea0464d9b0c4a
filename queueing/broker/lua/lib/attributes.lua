-- RSMQ's nine attributes. A message is hidden if its score is later than now in ms, so a message that was
-- just sent is not hidden.
local function attributes_reply()
  local reply = redis.call('HMGET', KEYS[1], 'vt', 'delay', 'maxsize', 'totalrecv', 'totalsent',
    'created', 'modified')
  for i = 1, 7 do reply[i] = reply[i] or '0' end
  return { 'ok', reply[1], reply[2], reply[3], reply[4], reply[5], reply[6], reply[7],
    redis.call('ZCARD', KEYS[2]), redis.call('ZCOUNT', KEYS[2], '(' .. whole(now_ms), '+inf') }
end

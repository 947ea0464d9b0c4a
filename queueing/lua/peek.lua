-- Look at messages without receiving them.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
-- ARGV[1] how many  ARGV[2] 'first' or 'last' in delivery order, or 'id'  ARGV[3] the id
-- Returns {'ok', {id, body, rc, due ms, state}, …} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include lanes
local found = {}
if ARGV[2] == 'id' then
  local score = redis.call('ZSCORE', KEYS[2], ARGV[3])
  if score then found = { ARGV[3], score } end
else
  local order = ARGV[2] == 'last' and 'ZREVRANGE' or 'ZRANGE'
  found = redis.call(order, KEYS[2], 0, ARGV[1] - 1, 'WITHSCORES')
end
local running = running_ids()
local reply = { 'ok' }
for i = 1, #found, 2 do
  local id, due_ms = found[i], tonumber(found[i + 1])
  local body, rc = unpack(redis.call('HMGET', KEYS[1], id, id .. ':rc'))
  local state = 'ready'
  if running[id] then
    state = 'running'
  elseif due_ms > now_ms then
    state = string.match(redis.call('HGET', KEYS[3], id) or '', '^[1-9]') and 'retrying' or 'delayed'
  end
  if body then reply[#reply + 1] = { id, body, rc or '0', whole(due_ms), state } end
end
return reply

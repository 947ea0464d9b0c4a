-- Read messages without receiving them.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held  KEYS[11] line
-- ARGV[1] how many  ARGV[2] 'first' or 'last' in delivery order, or 'id'  ARGV[3] the id
-- ARGV[4] bytes of a body, '' for whole bodies. The beginnings of long bodies are read up to 10 MB per call;
-- further long bodies are empty in the reply. This does not apply to 'id'
-- ARGV[5] how many to skip, not for 'id'; it may be left out
-- Returns {'ok', {id, body, rc, due ms, state, bytes of the whole body, headers, 1 if it
-- waits for a limit, else 0}, …} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include lanes
-- include bands
-- include limit_headers
local function waits_for_limit(id, headers)
  local limit = limit_of(headers)
  return limit and redis.call('ZSCORE', KEYS[11], place_of(limit, id, headers)) and 1 or 0
end

-- A hash returns whole values only. To show the beginning of many long bodies, Redis would copy them all, and
-- all other clients would wait.
local long_bytes_left = 10000000

local function body_of(id, size)
  local limit = tonumber(ARGV[4])
  if not limit or size <= limit then return redis.call('HGET', KEYS[1], id) end
  if ARGV[2] ~= 'id' then
    if size > long_bytes_left then return '' end
    long_bytes_left = long_bytes_left - size
  end
  return string.sub(redis.call('HGET', KEYS[1], id), 1, limit)
end

local found = {}
if ARGV[2] == 'id' then
  local score = redis.call('ZSCORE', KEYS[2], ARGV[3])
  if score then found = { ARGV[3], score } end
else
  local order = ARGV[2] == 'last' and 'ZREVRANGE' or 'ZRANGE'
  local from = tonumber(ARGV[5] or 0)
  found = redis.call(order, KEYS[2], from, from + ARGV[1] - 1, 'WITHSCORES')
end
local running = running_ids()
local reply = { 'ok' }
for i = 1, #found, 2 do
  local id, due_ms = found[i], tonumber(found[i + 1])
  -- A score inside a band is a place in the order, not a time.
  if now_ms - due_ms >= BAND_MS then due_ms = due_ms + band_of(id) end
  local state = 'ready'
  if running[id] then
    state = 'running'
  elseif due_ms > now_ms then
    state = string.match(redis.call('HGET', KEYS[3], id) or '', '^[1-9]') and 'retrying' or 'delayed'
  end
  local size = redis.call('HSTRLEN', KEYS[1], id)
  if size > 0 or redis.call('HEXISTS', KEYS[1], id) == 1 then
    local rc = redis.call('HGET', KEYS[1], id .. ':rc') or '0'
    local headers = redis.call('HGET', KEYS[4], id) or ''
    reply[#reply + 1] = { id, body_of(id, size), rc, whole(due_ms), state, size, headers, waits_for_limit(id, headers) }
  end
end
return reply

-- Put new messages into a queue: the common part of send and tick. `reply` is the reply so far, `bodies` has
-- {id, body, …} of the new messages.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[4] headers  KEYS[5] waking  KEYS[6] served  KEYS[7] idle
-- KEYS[8] hints  KEYS[9…] deduplication, or unique, ends and waits
-- ARGV[2] channel  ARGV[3] delay in seconds, '' for the queue's own  ARGV[5] how many messages
-- ARGV[6…] per message: 22 random characters or a whole id, its length in UTF-16 units, its body
-- and then, for each option that is set: number of the message, name, value
--   'delay' ms from now, 'due' ms since 1970, 'headers' JSON, 'priority' 1 to 100,
--   'once' "<number of its key> <ms of the window>", 'unique' as in lib/request.lua,
--   'received' "<number of the key of its ends> <how often it was received in the queue it comes from>"
--
-- The including script sets `base_us`, the time of the first message.
-- include bands
-- include request
local served, idle, hints = KEYS[6], KEYS[7], KEYS[8]
-- include idle
local WHOLE_ID = 32
local attributes = redis.call('HMGET', KEYS[1], 'vt', 'delay', 'maxsize')
if not (attributes[1] and attributes[2] and attributes[3]) then return { 'queueNotFound' } end
local count = tonumber(ARGV[5])
local last = 5 + 3 * count

local maxsize = stored_int(attributes[3]) or -1
if maxsize ~= -1 then
  for i = 7, last, 3 do
    if tonumber(ARGV[i]) > maxsize then return { 'messageTooLong' } end
  end
end

local DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz'
local function base36(number_us)
  local text = ''
  while number_us > 0 do
    local digit = number_us % 36
    text = string.sub(DIGITS, digit + 1, digit + 1) .. text
    number_us = (number_us - digit) / 36
  end
  return text
end

-- The ids of a batch count up, so all digits but the last are made once for 36 ids.
local high_us, high_digits
local function id_time(us)
  local low = us % 36
  if us - low ~= high_us then high_us, high_digits = us - low, base36((us - low) / 36) end
  return high_digits .. string.sub(DIGITS, low + 1, low + 1)
end

-- The values of each option, by the number of the message.
local options = { delay = {}, due = {}, headers = {}, priority = {}, once = {}, unique = {}, received = {} }
for i = last + 1, #ARGV, 3 do options[ARGV[i + 1]][tonumber(ARGV[i])] = ARGV[i + 2] end
local requests = next(options.unique) and open_requests()

local reply = { 'ok', whole(base_us) }
local delay_ms = (tonumber(ARGV[3]) or stored_int(attributes[2]) or 0) * 1000
local bodies, scores, kept_headers, asleep, windows, counts = {}, {}, {}, {}, {}, {}
local replaced = 0
for index = 1, count do
  local i = 3 + 3 * index
  local us = base_us + index - 1
  local is_whole = #ARGV[i] == WHOLE_ID
  local id = is_whole and ARGV[i] or id_time(us) .. ARGV[i]
  -- The sender of a whole id may send it again in another call.
  local is_new = not (is_whole and redis.call('HEXISTS', KEYS[1], id) == 1)
  local delay, due, window = options.delay[index], options.due[index], nil
  local due_ms = delay and now_ms + delay or math.floor(us / 1000) + delay_ms
  -- A due time in the past would give priority over older messages.
  if due then due_ms = math.max(now_ms, tonumber(due)) end
  if options.once[index] then
    local key, window_ms = string.match(options.once[index], '^(%d+) (%d+)$')
    key = KEYS[8 + key]
    local sent = windows[key] and windows[key][1] or redis.call('GET', key)
    if sent and sent ~= id then
      reply[#reply + 1], reply[#reply + 2] = index, sent
      is_new = false
    elseif is_new then
      window = { id, window_ms }
      windows[key] = window
    end
  end
  local headers, priority, is_parked = options.headers[index], options.priority[index], false
  if is_new and options.unique[index] then
    local is_explicit = delay or due or ARGV[3] ~= ''
    local taker = requests.take(options.unique[index], id, due_ms, is_explicit, priority)
    if window then window[1] = taker.id end
    if taker.id ~= id then
      reply[#reply + 1], reply[#reply + 2] = index, taker.id
      id, is_new = taker.id, taker.is_replaced
      if is_new then replaced = replaced + 1 end
    end
    due_ms, priority, is_parked = taker.due_ms, taker.priority, taker.is_parked
  end
  if is_new then
    bodies[#bodies + 1], bodies[#bodies + 2] = id, ARGV[i + 2]
    local score = due_ms
    -- The ids of a batch count up, so its last messages are sent some ms from now. They are not delayed.
    if score and (priority or is_parked) and score > math.max(now_ms, math.floor(us / 1000)) then
      asleep[#asleep + 1], asleep[#asleep + 2] = whole(score), id
    elseif score and priority then
      score = score - priority * BAND_MS
    end
    -- A message whose body is replaced keeps its place.
    if score then scores[#scores + 1], scores[#scores + 2] = whole(score), id end
    local kept = priority and ('p' .. priority .. ' ' .. (headers or '')) or headers
    if kept then kept_headers[#kept_headers + 1], kept_headers[#kept_headers + 2] = id, kept end
    local place, rc = string.match(options.received[index] or '', '^(%d+) (%d+)$')
    if place then counts[#counts + 1] = { KEYS[8 + place], id, rc } end
  end
end
if #bodies > 0 then
  -- A command that is refused after the first write would leave half a message. Redis 6.2 cannot be asked.
  local may = redis.acl_check_cmd
  local is_permitted = not may or (may('HSET', KEYS[1], 'f', 'v') and may('ZADD', KEYS[2], '0', 'm')
    and may('HINCRBY', KEYS[1], 'f', '1') and may('SET', KEYS[1], 'v') and may('ZCARD', KEYS[2]))
  if not is_permitted then
    return redis.error_reply('NOPERM a send needs the commands HSET, ZADD, HINCRBY, SET and ZCARD')
  end
  -- A key of another type must fail before the first write, too: Lua has no rollback.
  redis.call('ZCARD', KEYS[2])
  if #kept_headers > 0 then
    redis.call('HEXISTS', KEYS[4], '')
    redis.call('ZCARD', KEYS[5])
  end
  for _, count_of in ipairs(counts) do redis.call('HEXISTS', count_of[1], '') end
  -- The bodies come first: over maxmemory Redis refuses this write, before anything else has changed.
  redis.call('HSET', KEYS[1], unpack(bodies))
  if #scores > 0 then redis.call('ZADD', KEYS[2], unpack(scores)) end
  if #bodies / 2 > replaced then count_up(KEYS[1], 'totalsent', #bodies / 2 - replaced) end
  if #asleep > 0 then redis.call('ZADD', KEYS[5], unpack(asleep)) end
  if #kept_headers > 0 then redis.call('HSET', KEYS[4], unpack(kept_headers)) end
  -- A receive count never falls, so all earlier receives count as given back.
  for _, count_of in ipairs(counts) do
    redis.call('HSET', KEYS[1], count_of[2] .. ':rc', count_of[3])
    redis.call('HSET', count_of[1], count_of[2], string.format('0 0 %s 0 0 %s', count_of[3], count_of[3]))
  end
  if requests then requests.write() end
  rouse(string.match(ARGV[2], '[^:]*$'), #bodies / 2)
  -- Publish once per message, for Node readers that receive once per event.
  local card = redis.call('ZCARD', KEYS[2])
  for i = #bodies / 2 - 1, 0, -1 do
    -- The messages are stored. An error for a user without permission for the channel would make the caller
    -- send again.
    redis.pcall('PUBLISH', ARGV[2], whole(card - i))
  end
end
-- Also if an earlier message has taken the only request: the event must not be sent again after its end.
for key, window in pairs(windows) do
  redis.call('SET', key, window[1], 'PX', window[2])
end

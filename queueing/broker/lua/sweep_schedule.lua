-- Sweep the schedule of a queue, one step per call. It drops phantoms, deletes messages that are older than
-- the retention, and buries those that are worn out by the redrive policy. Messages that are held or were
-- given back stay. A message that timed out under another program returns to the band of its priority,
-- because that program does not know the bands.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] how many to read  ARGV[7] how many due messages to skip
-- Returns {'ok', read, phantoms, expired, buried, mended}, {'queueNotFound'}, or the reply of
-- lib/dead_letters.lua
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include dead_letters
-- include drain
-- include bury
-- include next
-- include lanes
-- Whether a message is retried, was abandoned, or was given back to the head, where its score is not a due
-- time.
local function is_coming_back(id, score)
  local ends = read_ends(id)
  return ends.failed + ends.crashed > 0 or (ends.released > 0 and score <= tonumber(head_score(id)))
end

-- In the first step, a message whose score is not a time becomes ready, and a lease longer than any worker's
-- is dropped.
-- With a minute for a clock that was set back since the claim.
local LONGEST_LEASE_MS = 9999999000 + 60000
local mended = 0
if ARGV[7] == '0' then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], whole(MAX_INTEGER), '+inf', 'LIMIT', 0, 1000)) do
    redis.call('ZADD', KEYS[2], whole(now_ms), id)
    mended = mended + 1
  end
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', KEYS[9], whole(now_ms + LONGEST_LEASE_MS), '+inf')) do
    redis.call('HDEL', KEYS[10], lane)
    mended = mended + redis.call('ZREM', KEYS[9], lane)
  end
end

check_leaving()
local running = running_ids()
local retention = stored_int(redis.call('HGET', KEYS[1], 'retention'))
-- By rank, because Redis reads past each entry of an offset into scores.
local ranked = redis.call('ZRANGE', KEYS[2], ARGV[7], ARGV[7] + ARGV[6] - 1, 'WITHSCORES')
local found = {}
for i = 1, #ranked, 2 do
  if tonumber(ranked[i + 1]) > now_ms then break end
  found[i], found[i + 1] = ranked[i], ranked[i + 1]
end
local phantoms, expired, buried = 0, 0, 0
for i = 1, #found, 2 do
  local id = found[i]
  -- A message is due since its sending or since its score, whichever is later.
  local sent_us = tonumber(string.sub(id, 1, 10), 36) or 0
  local score, band_ms = tonumber(found[i + 1]), band_of(id)
  local is_outside = band_ms > 0 and now_ms - score < BAND_MS
  local due_ms = math.max(is_outside and score or score + band_ms, sent_us / 1000)
  if redis.call('HEXISTS', KEYS[1], id) == 0 then
    forget(id, 'cancelled')
    phantoms = phantoms + 1
  elseif not running[id] then
    local rc = receive_count(redis.call('HGET', KEYS[1], id .. ':rc'))
    if is_worn_out(id, rc) then
      bury(id)
      buried = buried + 1
    elseif retention and due_ms + retention * 1000 < now_ms and not is_coming_back(id, score) then
      forget(id, 'cancelled')
      expired = expired + 1
    elseif is_outside then
      redis.call('ZADD', KEYS[2], whole(score - band_ms), id)
    end
  end
end
start_next()
return { 'ok', #found / 2, phantoms, expired, buried, mended }

-- Move ready messages to another queue. They keep body, id, receive count, first receive and headers.
-- Messages that a worker holds or a reader hides are not moved.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua for the source
-- KEYS[29…32] as KEYS[1…4] for the target
-- ARGV[6] channel of the target  ARGV[7] how many  ARGV[8…] ids, to move only these
-- Returns {'ok', how many} or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists or redis.call('HEXISTS', KEYS[29], 'vt') == 0 then return { 'queueNotFound' } end
-- include drain
-- include leave
-- include next
-- include due
local ids = {}
local seen = {}
for i = 8, #ARGV do
  local score = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i]) or nil)
  local is_ready = score and score <= now_ms and redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1
  if is_ready and not seen[ARGV[i]] then
    seen[ARGV[i]] = true
    ids[#ids + 1] = ARGV[i]
  end
end
if #ARGV < 8 then ids = due_ids(tonumber(ARGV[7])) end
-- Read before the first write: a key of another type must fail here.
check_leaving()
for _, i in ipairs({ 3, 29, 31, 32 }) do redis.call('HLEN', KEYS[i]) end
redis.call('ZCARD', KEYS[30])
for _, id in ipairs(ids) do
  local body, rc, fr = unpack(redis.call('HMGET', KEYS[1], id, id .. ':rc', id .. ':fr'))
  local headers = redis.call('HGET', KEYS[4], id)
  forget(id)
  redis.call('HSET', KEYS[29], id, body)
  if rc then
    redis.call('HSET', KEYS[29], id .. ':rc', rc)
    -- A receive count never falls, so all earlier receives count as given back.
    local received = whole(receive_count(rc))
    redis.call('HSET', KEYS[31], id, string.format('0 0 %s 0 0 %s', received, received))
  end
  if fr then redis.call('HSET', KEYS[29], id .. ':fr', fr) end
  if headers then redis.call('HSET', KEYS[32], id, headers) end
  redis.call('ZADD', KEYS[30], whole(now_ms - priority_in(headers) * BAND_MS), id)
end
if #ids > 0 then
  count_up(KEYS[29], 'totalsent', #ids)
  redis.pcall('PUBLISH', ARGV[6], redis.call('ZCARD', KEYS[30]))
  start_next()
end
return { 'ok', #ids }

-- Dead letters. KEYS and ARGV[1…4] as in lib/keys.lua
-- include leave

-- Lua has no rollback: a key of another type must fail before the first write.
local is_checked

local function check_burial()
  if is_checked then return end
  check_leaving()
  for _, i in ipairs({ 3, 5, 7 }) do redis.call('HLEN', KEYS[i]) end
  redis.call('ZCARD', KEYS[6])
  redis.call('SCARD', KEYS[8])
  is_checked = true
end

-- The dead-letter queue is an ordinary queue, created with the first dead letter. Body, id, rc, fr and
-- headers stay. The ends start again at zero, so that a redriven message has all its attempts.
local function bury(id)
  check_burial()
  local body, rc, fr = unpack(redis.call('HMGET', KEYS[1], id, id .. ':rc', id .. ':fr'))
  local headers = redis.call('HGET', KEYS[4], id)
  if redis.call('HEXISTS', KEYS[5], 'vt') == 0 then
    redis.call('HSET', KEYS[5], 'vt', 30, 'delay', 0, 'maxsize', -1, 'created', time[1], 'modified', time[1],
      'retention', ARGV[3])
  end
  redis.call('SADD', KEYS[8], ARGV[2])
  redis.call('HSET', KEYS[5], id, body or '', id .. ':rc', rc or 0)
  if fr then redis.call('HSET', KEYS[5], id .. ':fr', fr) end
  if headers then redis.call('HSET', KEYS[7], id, headers) end
  count_up(KEYS[5], 'totalsent', 1)
  redis.call('ZADD', KEYS[6], whole(now_ms), id)
  forget(id, 'failed')
end

-- Whether the queue's redrive policy counts a message as received often enough.
local function is_worn_out(id, rc)
  return max_receive_count and rc >= max_receive_count and rc - read_ends(id).released >= max_receive_count
end

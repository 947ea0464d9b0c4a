-- Let go of the keys of messages that end. KEYS as in lib/keys.lua
-- include waking

-- Make a parked message due, or let it wait for the message `before`.
local function unpark(id, before)
  local digest, _, after, due_text = unique_of(KEYS[24], id)
  if not digest then return end
  redis.call('HSET', KEYS[24], id, table.concat({ digest, before, after, due_text }, ' '))
  if before ~= '-' or not redis.call('ZSCORE', KEYS[2], id) then return end
  local due_ms = tonumber(due_text)
  if due_ms > now_ms then
    put_off(id, due_ms)
  else
    come_due(id, whole(now_ms - band_of(id)))
  end
end

-- `id` has ended: the message that waits for it follows.
local function let_go(id)
  -- A key of another type has no records. Something was written before.
  if type(redis.pcall('HEXISTS', KEYS[24], id)) ~= 'number' then return end
  local digest, before, after = unique_of(KEYS[24], id)
  if not digest then return end
  redis.call('HDEL', KEYS[24], id)
  local before_digest, earlier, _, due_text = unique_of(KEYS[24], before)
  if before_digest then
    redis.call('HSET', KEYS[24], before, table.concat({ before_digest, earlier, after, due_text }, ' '))
  end
  if redis.call('HGET', KEYS[24], 'k:' .. digest) == id then
    if before_digest then
      redis.call('HSET', KEYS[24], 'k:' .. digest, before)
    else
      redis.call('HDEL', KEYS[24], 'k:' .. digest)
    end
  end
  if after ~= '-' then unpark(after, before_digest and before or '-') end
end

-- Remove a message from its queue, without its headers. Returns whether it was there. KEYS as in lib/queue.lua
local function remove(id)
  -- A key of another type fails here, before the message is gone.
  redis.call('HDEL', KEYS[3], id)
  local scheduled = redis.call('ZREM', KEYS[2], id)
  local fields = redis.call('HDEL', KEYS[1], id, id .. ':rc', id .. ':fr')
  return scheduled == 1 and fields > 0
end

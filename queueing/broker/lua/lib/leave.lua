-- Messages that leave their queue, and those that follow them: the next in the line of a limit, and the next unique
-- message with the same key. KEYS and ARGV[1…4] as in lib/keys.lua
-- include keys
-- include members
-- include ends
-- include head
-- include waking
-- include let_go
-- include slots
-- include limit_headers
-- include remove

-- Read before the first write, so that a key of another type fails here: Lua has no rollback.
local function check_leaving()
  if redis.call('HLEN', KEYS[4]) == 0 then return end
  check_members()
  check_limits()
  redis.call('ZCARD', waking)
end

local has_line

-- A message does not wait for its limit any more. Those behind it in its line move up.
local function leave_line(id, headers)
  if has_line == nil then has_line = redis.call('ZCARD', line) > 0 end
  local limit = has_line and limit_of(headers)
  if limit and redis.call('ZREM', line, place_of(limit, id, headers)) == 1 then
    freed_keys[limit.key] = true
  end
end

-- Delete a message, after `check_leaving`. `ending` is that of a member of a batch, nil for a message that is stored
-- elsewhere. Returns whether it was in its queue.
local function forget(id, ending)
  local headers = redis.call('HGET', KEYS[4], id)
  local was_there = remove(id)
  if headers then
    redis.call('HDEL', KEYS[4], id)
    -- Only messages with headers have a priority or a unique key.
    redis.call('ZREM', waking, id)
    let_go(id)
    leave_line(id, headers)
    if ending then count_members(batch_in(headers), { id }, ending, ARGV[1]) end
  end
  return was_there
end

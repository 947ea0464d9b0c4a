-- Slots: the running messages of each limited key, over all workers. Keys as in lib/limits.lua.
--
-- A lane lists the slots of the messages that it holds, so a slot ends with the delivery, or with its lease.
-- include keys

-- Read before the first write, so that a key of another type fails here. Returns the number of `waits`.
local function check_limits()
  for _, key in ipairs({ slots, rates, line }) do redis.call('ZCARD', key) end
  redis.call('HLEN', KEYS[24])
  return redis.call('ZCARD', waits)
end

-- Forget the slots of a message that the lane does not hold any more, and the request to stop it.
local function drop_delivery(state, id)
  if state.stops then state.stops[id] = nil end
  local held = state.slots and state.slots[id]
  if type(held) ~= 'table' then return end
  for _, slot in ipairs(held) do
    redis.call('ZREM', slots, slot)
    local key = string.match(slot, '^([^\1]+)\1')
    if key then freed_keys[key] = true end
  end
  state.slots[id] = nil
  if not next(state.slots) then state.slots = nil end
end

-- The Redis types of keys.
--
-- KEYS any
-- Returns for each its type as TYPE names it, 'none' if it is not there
local reply = {}
for i, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key)
  reply[i] = found.ok or found
end
return reply

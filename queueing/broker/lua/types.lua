-- The Redis types of keys.
--
-- KEYS any
-- Returns the type of each as TYPE names it, 'none' if the key does not exist
local reply = {}
for i, key in ipairs(KEYS) do
  local found = redis.call('TYPE', key)
  reply[i] = found.ok or found
end
return reply

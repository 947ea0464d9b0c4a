-- Set aside the keys of ours that are of another type than they should be, because another program wrote them.
-- Nothing is deleted: such a key gets the second name.
--
-- KEYS pairs of a key and the name under which it is set aside
-- ARGV the type that each should have
-- Returns the keys that were set aside
local mended = {}
for i = 1, #ARGV do
  local key = KEYS[2 * i - 1]
  local found = redis.call('TYPE', key)
  found = found.ok or found
  if found ~= 'none' and found ~= ARGV[i] then
    redis.call('RENAME', key, KEYS[2 * i])
    mended[#mended + 1] = key
  end
end
return mended

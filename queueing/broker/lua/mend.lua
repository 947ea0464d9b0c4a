-- Set aside keys whose type another program has changed. Nothing is deleted: such a key is renamed to its
-- second name, or to the third if the second is taken.
--
-- KEYS per key: the key and the two names
-- ARGV the type that each key must have
-- Returns {key, new name, …} of the keys that were set aside
local mended = {}
for i = 1, #ARGV do
  local key, place = KEYS[3 * i - 2], KEYS[3 * i - 1]
  local found = redis.call('TYPE', key)
  found = found.ok or found
  if found ~= 'none' and found ~= ARGV[i] then
    if redis.call('RENAMENX', key, place) == 0 then
      place = KEYS[3 * i]
      redis.call('RENAMENX', key, place)
    end
    mended[#mended + 1], mended[#mended + 2] = key, place
  end
end
return mended

-- Set aside keys that are of another type than they should be, because another program wrote them. Nothing is
-- deleted: such a key gets the second name, or the third if that is taken.
--
-- KEYS triples of a key and the two names
-- ARGV the type that each should have
-- Returns key, new name of each that was set aside
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

-- Read the newest entries of the outbox.
--
-- KEYS[1] outbox
-- ARGV[1] how many  ARGV[2] bytes of all together: an entry that would exceed them is left out
-- Returns the entries as XREVRANGE does
local found, bytes = {}, 0
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])) do
  local size = 0
  for _, text in ipairs(entry[2]) do size = size + #text end
  if bytes + size <= tonumber(ARGV[2]) then
    found[#found + 1] = entry
    bytes = bytes + size
  end
end
return found

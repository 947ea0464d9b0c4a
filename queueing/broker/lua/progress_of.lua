-- Read the progress that runs have reported.
--
-- KEYS[1] attributes  KEYS[2] progress
-- ARGV ids
-- Returns "<fraction> <note>" for each, or false if its present delivery has reported nothing
local reply = {}
for i, id in ipairs(ARGV) do
  local rc, rest = string.match(redis.call('HGET', KEYS[2], id) or '', '^(%d+) (.*)$')
  reply[i] = rc ~= nil and redis.call('HGET', KEYS[1], id .. ':rc') == rc and rest
end
return reply

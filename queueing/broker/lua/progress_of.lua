-- How far runs are that have told it.
--
-- KEYS[1] attributes  KEYS[2] progress
-- ARGV ids
-- Returns for each "<fraction> <note>", or false where nothing was told of its present delivery
local reply = {}
for i, id in ipairs(ARGV) do
  local rc, rest = string.match(redis.call('HGET', KEYS[2], id) or '', '^(%d+) (.*)$')
  reply[i] = rc ~= nil and redis.call('HGET', KEYS[1], id .. ':rc') == rc and rest
end
return reply

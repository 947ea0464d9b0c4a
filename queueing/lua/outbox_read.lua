-- Read the oldest outcomes for one recorder at a time.
--
-- KEYS[1] outbox  KEYS[2] recorder
-- ARGV[1] recorder  ARGV[2] ms for which nobody else reads  ARGV[3] entries at the most
-- Returns the entries as XRANGE does, or nil where another recorder is at work
local other = redis.call('GET', KEYS[2])
if other and other ~= ARGV[1] then return false end
redis.call('XDEL', KEYS[1], '0-0')
local entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[3])
if #entries == 0 then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
end
return entries

-- Forget senders soon whose last call is known to be the given one.
--
-- KEYS[1…] senders
-- ARGV[1] ms for which they are still remembered  ARGV[2…] number of the last call of each
-- Returns how many are forgotten
local count = 0
for index, key in ipairs(KEYS) do
  local number = string.match(redis.call('GET', key) or '', '^(%d+) ')
  if number == ARGV[index + 1] then count = count + redis.call('PEXPIRE', key, ARGV[1]) end
end
return count

-- Enter the queues of a worker, so that their messages wake its children. Sets that no child has entered for
-- an hour are removed.
--
-- KEYS[1] served  KEYS[2] idle  KEYS[3] hints (see lib/idle.lua)
-- ARGV[1] digest of the queues  ARGV[2…] queues
-- Returns 'ok'
--
-- include clock
local SEEN_MS = 3600000
local served, idle, hints = KEYS[1], KEYS[2], KEYS[3]
-- include idle
redis.call('HDEL', served, '')
local number = string.match(read_served(':' .. ARGV[1]), '^(%d+) ')
if number then
  redis.call('HSET', served, ':' .. ARGV[1], number .. ' ' .. whole(now_ms))
  return 'ok'
end
-- Build the hash again from the sets that are alive.
local fields, used, ended = redis.call('HGETALL', served), {}, {}
for i = 1, #fields, 2 do
  local known, seen_ms = string.match(fields[i + 1], '^(%d+) (%d+)$')
  if known and string.match(fields[i], '^:%x+$') then
    if math.abs(now_ms - seen_ms) > SEEN_MS then
      ended[known] = true
      redis.call('HDEL', served, fields[i], ':ear ' .. known)
      for _, key in ipairs({ idle, hints }) do
        local member = first_of_set(key, known)
        while member and redis.pcall('ZREM', key, member) == 1 do member = first_of_set(key, known) end
      end
    else
      used[known] = true
    end
  end
end
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 1) ~= ':' then
    local left = {}
    for known in string.gmatch(fields[i + 1], '%d+') do
      if used[known] then left[#left + 1] = known end
    end
    if #left > 0 then
      redis.call('HSET', served, fields[i], table.concat(left, ' '))
    else
      redis.call('HDEL', served, fields[i])
    end
  end
end
number = 1
while used[whole(number)] do number = number + 1 end
redis.call('HSET', served, ':' .. ARGV[1], number .. ' ' .. whole(now_ms))
for i = 2, #ARGV do
  local others = read_served(ARGV[i])
  redis.call('HSET', served, ARGV[i], others == '' and whole(number) or others .. ' ' .. number)
end
return 'ok'

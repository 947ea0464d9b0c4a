-- A message that comes back goes to the head: its place is that of its sending, not behind a backlog.
local function head_score(id)
  local us = tonumber(string.sub(id, 1, 10), 36)
  if not us or us / 1000 > now_ms then return whole(now_ms) end
  return whole(math.floor(us / 1000))
end

local function announce(channel)
  redis.call('PUBLISH', channel, redis.call('ZCARD', KEYS[2]))
end

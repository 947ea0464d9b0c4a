-- A message that comes back goes to the head: its place is by the time of its sending, in the band of its
-- priority, and so before a backlog.
-- include bands
local function head_score(id)
  local us = tonumber(string.sub(id, 1, 10), 36)
  local place_ms = now_ms
  if us and us / 1000 <= now_ms then place_ms = math.floor(us / 1000) end
  return whole(place_ms - band_of(id))
end

-- A Redis user without permission for the channel cannot publish. Waiting readers then find the message when
-- they poll.
local function announce(channel)
  redis.pcall('PUBLISH', channel, redis.call('ZCARD', KEYS[2]))
end

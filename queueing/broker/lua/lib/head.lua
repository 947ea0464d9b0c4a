-- A message that comes back goes to the head: its place is that of its sending, not behind a backlog, in
-- the band of its priority.
-- include bands
local function head_score(id)
  local us = tonumber(string.sub(id, 1, 10), 36)
  local place_ms = now_ms
  if us and us / 1000 <= now_ms then place_ms = math.floor(us / 1000) end
  return whole(place_ms - band_of(id))
end

-- A user of Redis without the channel cannot announce anything. The poll of those who wait finds it.
local function announce(channel)
  redis.pcall('PUBLISH', channel, redis.call('ZCARD', KEYS[2]))
end

-- Find out in which of several queues a claim would find a message: one call instead of one claim per queue.
--
-- The script also proves that Redis accepts writes, because a child that only checks must notice a refusal.
--
-- KEYS[1] a key that never exists, then per queue: attributes, schedule, leases, waking
-- ARGV none
-- Returns {now ms, then for each queue 'due', 'missing', or the ms at which its next message is due, 0 for
-- none}
--
-- include clock
-- include proof
-- A spoilt key counts as due. The claim then reports the fault, and only for that queue.
local function first_score(key)
  local found = redis.pcall('ZRANGE', key, 0, 0, 'WITHSCORES')
  return found.err and 0 or tonumber(found[2])
end

local function look(attributes, schedule, leases, waking)
  if redis.call('EXISTS', attributes) == 0 then return 'missing' end
  local next_ms
  for _, key in ipairs({ schedule, waking }) do
    local score = first_score(key)
    if score and score <= now_ms then return 'due' end
    if score then next_ms = math.min(score, next_ms or score) end
  end
  -- The next claim gives back the messages of a lease that has ended.
  local lease_end_ms = first_score(leases)
  if lease_end_ms and lease_end_ms <= now_ms then return 'due' end
  return whole(next_ms or 0)
end

local reply = { whole(now_ms) }
for i = 2, #KEYS - 3, 4 do
  reply[#reply + 1] = look(KEYS[i], KEYS[i + 1], KEYS[i + 2], KEYS[i + 3])
end
return reply

-- Which of several queues a claim would find something in: one call where a claim of each would be many.
--
-- It also proves that Redis takes writes: a child that only looks must notice if it does not.
--
-- KEYS[1] never there, then per queue: attributes, schedule, leases, waking
-- Returns {now ms, then for each queue 'due', 'missing', or the ms at which something comes due, 0: nothing}
--
-- include clock
-- include proof
-- What another program has spoilt looks due: the claim tells what is wrong with it, and only for its queue.
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
  -- A lease that has ended is given back by the next claim.
  local lease_end_ms = first_score(leases)
  if lease_end_ms and lease_end_ms <= now_ms then return 'due' end
  return whole(next_ms or 0)
end

local reply = { whole(now_ms) }
for i = 2, #KEYS, 4 do
  reply[#reply + 1] = look(KEYS[i], KEYS[i + 1], KEYS[i + 2], KEYS[i + 3])
end
return reply

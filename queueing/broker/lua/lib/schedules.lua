-- The schedules of a namespace.
--
-- The including script sets `schedules` to the key of the hash: name -> JSON with these texts
--   expression, time_zone, queue, missed   from the code that registered the schedule last
--   settled   ms: all ticks up to here are sent or skipped
--   seen      ms: a worker registered it
--   born      ms: the first registration by the youngest worker with this timetable
--   earlier   the timetable before this one
--   tick, id  the last tick that sent a message, and that message; '0' and '' before the first one
--   paused    '1' or ''
local TEXTS = { 'expression', 'time_zone', 'queue', 'missed', 'settled', 'seen', 'tick', 'id', 'paused' }
-- If the clock is set back by more than this, schedules start again.
local AHEAD_MS = 86400000

local function is_ms(text)
  local ms = #text <= 15 and tonumber(string.match(text, '^-?%d+$') or nil)
  return ms and ms >= -AHEAD_MS and ms <= now_ms + AHEAD_MS
end

-- Nil if another program has written another value. The schedule then starts as a new one.
local function schedule_in(text)
  if not text or #text > 100000 then return nil end
  local is_json, state = pcall(cjson.decode, text)
  if not is_json or type(state) ~= 'table' then return nil end
  for _, field in ipairs(TEXTS) do
    if type(state[field]) ~= 'string' then return nil end
  end
  if not (is_ms(state.settled) and is_ms(state.seen) and is_ms(state.tick)) then return nil end
  if type(state.born) ~= 'string' or not is_ms(state.born) then state.born = nil end
  if type(state.earlier) ~= 'string' then state.earlier = nil end
  return state
end

local function read_schedule(name)
  return schedule_in(redis.call('HGET', schedules, name))
end

local function write_schedule(name, state)
  redis.call('HSET', schedules, name, cjson.encode(state))
end

local function is_same_timetable(state, expression, time_zone)
  return state.expression == expression and state.time_zone == time_zone
end

local function timetable_of(expression, time_zone)
  return expression .. '\n' .. time_zone
end

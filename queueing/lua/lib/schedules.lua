-- What is known of the schedules of a namespace.
--
-- The script that includes it says in `schedules` which key it is, a hash: name -> JSON with the texts
--   expression, time_zone, queue, missed   as the code that named it last has them
--   settled   ms: all ticks up to here are sent or skipped
--   seen      ms: a worker has named it
--   born      ms: the first naming of the youngest worker that has named this timetable
--   earlier   the timetable before this one
--   tick, id  the last tick that sent something, and the message; '0' and '' before the first one
--   paused    '1' or ''
local function read_schedule(name)
  local text = redis.call('HGET', schedules, name)
  return text and cjson.decode(text)
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

-- A worker names the schedules of its code, at its start and then every minute. One that nobody has named
-- before begins now, and so does one with another timetable. While workers with another timetable still
-- name it (an older version of the code, being replaced), the one that came last has its way.
--
-- KEYS[1] schedules
-- ARGV[1] '1' the first time in the life of a worker  ARGV[2] ms after which others have left
-- ARGV[3] ms after which a schedule that nobody names is forgotten
-- ARGV[4…] per schedule: name, expression, time zone, queue, policy for missed ticks
-- Returns {now in ms, then for each: ms up to which its ticks are settled, '' if others have their way}
--
-- include clock
-- include drain
local schedules = KEYS[1]
-- include schedules
local reply = { whole(now_ms) }
for i = 4, #ARGV, 5 do
  local name, expression, time_zone = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local state = read_schedule(name)
  if state and not is_same_timetable(state, expression, time_zone) then
    if ARGV[1] == '1' or now_ms - state.seen > tonumber(ARGV[2]) then state = { paused = state.paused } end
  end
  state = state or { paused = '' }
  if not state.settled or is_same_timetable(state, expression, time_zone) then
    state.expression, state.time_zone, state.queue, state.missed = expression, time_zone, ARGV[i + 3], ARGV[i + 4]
    state.settled = state.settled or whole(now_ms)
    state.tick, state.id = state.tick or '0', state.id or ''
    state.seen = whole(now_ms)
    write_schedule(name, state)
    reply[#reply + 1] = state.settled
  else
    reply[#reply + 1] = ''
  end
end

local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now_ms - cjson.decode(all[i + 1]).seen > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i]) end
end
return reply

-- Register the schedules of a worker's code. Workers call this at their start and regularly afterwards. A
-- schedule begins now if its name is new, or if its timetable has changed.
--
-- Workers of two releases may register different timetables. The youngest worker wins as long as workers with
-- its timetable register it. After a rollback they have left, and an older worker takes the schedule over. It
-- continues from the last settled tick, so that the policy for missed ticks holds.
--
-- KEYS[1] schedules
-- ARGV[1] ms when the worker registered schedules for the first time, '' if this is the first time
-- ARGV[2] ms after which other workers count as left
-- ARGV[3] ms after which a schedule that no worker registers is removed
-- ARGV[4…] per schedule: name, expression, time zone, queue, policy for missed ticks
-- Returns {now ms, then for each: ms up to which its ticks are settled, '' if another worker's timetable
-- wins}
--
-- include clock
-- include drain
local schedules = KEYS[1]
-- include schedules
local born = tonumber(ARGV[1]) or now_ms

local function has_its_way(state)
  local latest = tonumber(state.born)
  return ARGV[1] == '' or (latest and born > latest) or now_ms - state.seen > tonumber(ARGV[2])
end

local function change(state, expression, time_zone)
  local replaced = timetable_of(state.expression, state.time_zone)
  -- An older worker, or the previous release: the change is rolled back.
  local goes_back = ARGV[1] ~= '' or state.earlier == timetable_of(expression, time_zone)
  if not goes_back then state = { paused = state.paused } end
  state.earlier, state.born = replaced, nil
  return state
end

local reply = { whole(now_ms) }
for i = 4, #ARGV, 5 do
  local name, expression, time_zone = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local state = read_schedule(name) or { paused = '', expression = expression, time_zone = time_zone }
  local is_same = is_same_timetable(state, expression, time_zone)
  if is_same or has_its_way(state) then
    if not is_same then state = change(state, expression, time_zone) end
    state.expression, state.time_zone, state.queue, state.missed = expression, time_zone, ARGV[i + 3], ARGV[i + 4]
    state.settled = state.settled or whole(now_ms)
    state.tick, state.id = state.tick or '0', state.id or ''
    state.seen, state.born = whole(now_ms), whole(math.max(born, tonumber(state.born) or 0))
    write_schedule(name, state)
    reply[#reply + 1] = state.settled
  else
    reply[#reply + 1] = ''
  end
end

local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local state = schedule_in(all[i + 1])
  if state and now_ms - state.seen > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i]) end
end
return reply

-- Pause or resume a schedule. It resumes from now, so ticks of the pause are not made up for.
--
-- KEYS[1] schedules
-- ARGV[1] name  ARGV[2] '1' to pause, '' to resume
-- Returns {'ok'} or {error name}
--
-- include clock
-- include drain
local schedules = KEYS[1]
-- include schedules
local state = read_schedule(ARGV[1])
if not state then return { 'scheduleNotFound' } end
if state.paused ~= ARGV[2] then
  state.paused = ARGV[2]
  if ARGV[2] == '' then state.settled = whole(now_ms) end
  write_schedule(ARGV[1], state)
end
return { 'ok' }

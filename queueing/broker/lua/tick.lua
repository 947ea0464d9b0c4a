-- Send the messages of a schedule's ticks and mark the ticks as settled, in one step. A second caller, or a
-- call repeated after a lost reply, finds them settled. Without messages the ticks are skipped.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] schedules  KEYS[4] headers  KEYS[5] waking
-- KEYS[6] served  KEYS[7] idle  KEYS[8] hints
-- ARGV[1] ms of the last tick  ARGV[4] JSON: name, expression, time_zone, and the ms up to which the ticks
-- were settled when the caller counted these  the others as in lib/put.lua
-- Returns {'ok', word, now ms, ms up to which ticks are settled, id of the last message} or {error name};
--   words: 'sent', 'paused' (settled, but nothing sent), 'settled' (by another), 'early' (not due yet),
--   'other' (it has another timetable now), 'unknown'
--
-- include clock
local schedules = KEYS[3]
-- include schedules
local wanted = cjson.decode(ARGV[4])
local state = read_schedule(wanted.name)
local function told(word)
  return { 'ok', word, whole(now_ms), state and state.settled or '0', state and state.id or '' }
end
if not state then return told('unknown') end
if not is_same_timetable(state, wanted.expression, wanted.time_zone) then return told('other') end
if tonumber(ARGV[1]) > now_ms then return told('early') end
if state.settled ~= wanted.settled or tonumber(ARGV[1]) <= tonumber(state.settled) then return told('settled') end
state.settled, state.seen = ARGV[1], whole(now_ms)
if state.paused ~= '' then
  write_schedule(wanted.name, state)
  return told('paused')
end
local base_us = now_us
-- include put
-- An earlier message may have taken the tick's: see lib/request.lua.
if count > 0 then state.tick, state.id = ARGV[1], reply[#reply - 1] == count and reply[#reply] or bodies[#bodies - 1] end
write_schedule(wanted.name, state)
return told('sent')

-- Settle deliveries and record their outcomes, in one step. Each is done, retrying, dead or released,
-- if its receipt still fits and the lane still holds it; a refused one changes nothing in the queue.
-- A call repeated with the same number returns what the first one refused.
--
-- KEYS and ARGV[1…4] as in lib/room.lua
-- ARGV[5] lane  ARGV[6] number of the call  ARGV[7] the outcomes, packed for the recorder
-- ARGV[8…] per outcome: id, rc, word, delay in ms
-- Returns {id, 'lease lost' or 'gone', …} of what was refused
--
-- include clock
-- include room
local lane, number = ARGV[5], tonumber(ARGV[6])
local state = read_lane(lane)
if number <= state.settle then return state.refused end

local held, given = {}, {}
for i = 1, #state.held, 2 do held[state.held[i]] = state.held[i + 1] end
for i = 8, #ARGV, 4 do given[#given + 1], given[#given + 2] = ARGV[i], tonumber(ARGV[i + 1]) end
local counts = receive_counts(given)

local refused, done, fields, back = {}, {}, {}, false
for i = 8, #ARGV, 4 do
  local id, rc, word = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local now_rc = tonumber(counts[(i - 4) / 4] or nil)
  if not now_rc then
    refused[#refused + 1], refused[#refused + 2] = id, 'gone'
  elseif now_rc ~= rc or held[id] ~= rc then
    refused[#refused + 1], refused[#refused + 2] = id, 'lease lost'
  elseif word == 'done' then
    done[#done + 1] = id
    fields[#fields + 1], fields[#fields + 2], fields[#fields + 3] = id, id .. ':rc', id .. ':fr'
    if rc > 1 then redis.call('HDEL', KEYS[3], id) end
  elseif word == 'dead' then
    bury(id)
  else
    local failed, crashed, released = read_ends(id)
    if word == 'retrying' then
      write_ends(id, failed + 1, crashed, released)
      redis.call('ZADD', KEYS[2], whole(now_ms + ARGV[i + 3]), id)
    else
      write_ends(id, failed, crashed, released + 1)
      redis.call('ZADD', KEYS[2], head_score(id), id)
      back = true
    end
  end
  held[id] = nil
end
if #done > 0 then
  redis.call('ZREM', KEYS[2], unpack(done))
  redis.call('HDEL', KEYS[1], unpack(fields))
end
if back then announce() end

local kept = {}
for i = 1, #state.held, 2 do
  if held[state.held[i]] then kept[#kept + 1], kept[#kept + 2] = state.held[i], state.held[i + 1] end
end
state.held, state.settle, state.refused = kept, number, refused
write_lane(lane, state, tonumber(redis.call('ZSCORE', KEYS[4], lane) or now_ms))
record(#given / 2, { 'packed', ARGV[7], 'refused', cjson.encode(refused) })
return refused

-- Delete messages that no receiver holds, and record each as cancelled. A message stays if a worker holds it
-- under a valid lease, or if another receiver hides it. The worker can be asked to stop what it holds.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] reason, '' for none  ARGV[7] 'stop' what workers hold, 'kill' it with its process, or 'leave' it
-- ARGV[8…] ids
-- Returns {'ok', 'cancelled', 'running', 'hidden' or 'gone' for each}, {'queueNotFound'}, or the reply of
-- lib/room.lua for wrong keys
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include room
-- include drain
-- include bury
-- include endings
-- include next
-- include lanes
local running = running_ids()

-- Another receiver has a message with a delivery that is not settled, as long as it is hidden.
local function word_for(id, rc)
  local score = tonumber(redis.call('ZSCORE', KEYS[2], id) or nil)
  if not score or redis.call('HEXISTS', KEYS[1], id) == 0 then return 'gone' end
  if running[id] then return 'running' end
  return score > now_ms and may_be_held(rc, read_ends(id)) and 'hidden' or 'cancelled'
end

-- Ask the child that holds a message to stop it. The request is stored with what the child holds, so it ends
-- with the delivery.
local function ask_to_stop(id)
  local lane = running[id]
  local state = read_lane(lane)
  state.stops = state.stops or {}
  for i = 1, #state.held, 2 do
    if state.held[i] == id then
      local old = stop_of(state, id, state.held[i + 1])
      local kills = ARGV[7] == 'kill' or (old and old[2] == 1)
      state.stops[id] = { state.held[i + 1], kills and 1 or 0, ARGV[6] }
    end
  end
  redis.call('HSET', KEYS[10], lane, cjson.encode(state))
end

check_outbox()
check_burial()
local reply, endings, bodies = { 'ok' }, {}, {}
for i = 8, #ARGV do
  local id = ARGV[i]
  local rc = receive_count(redis.call('HGET', KEYS[1], id .. ':rc'))
  local word = word_for(id, rc)
  if word == 'cancelled' then
    local ends = read_ends(id)
    -- The receipt of the delivery that would come next: the history keeps the newest receipt of a message.
    endings[#endings + 1] = { id, rc + 1, word, ends.failed, ends.crashed, 0 }
    add_body(bodies, id)
    forget(id, word)
  elseif word == 'running' and ARGV[7] ~= 'leave' then
    ask_to_stop(id)
  end
  reply[#reply + 1] = word
end
start_next()
if #endings > 0 then record_endings('', ARGV[6], endings, bodies) end
return reply

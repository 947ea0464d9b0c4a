-- Give back the messages that a child held when it died. `started` has the ids that the child had started;
-- nil means that its worker has vanished, so all may have started. Only started messages count a crash. A message
-- that somebody asked to stop is cancelled. A delivery whose message is gone, or that the lane has lost, only ends in the
-- history. Returns the number of messages that were given back or are dead.
--
-- A platform ends a whole worker, its keeper included, and so does a message that uses up the memory of the machine.
-- The two look alike. So the crash of a whole worker isolates its messages like any crash, but a message is dead
-- only after many of them.
--
-- The shared memory in which a worker marks started messages keeps this many bytes of an id.
local MARK_BYTES = 63
-- A message is dead after this many times MAX_CRASHES ends of whole workers.
local VANISHED_FACTOR = 3

local function abandon(lane, started, reason, max_crashes)
  local state = read_lane(lane)
  if #state.held > 0 or state.lost then
    check_room()
    check_burial()
  end
  if state.slots then check_limits() end
  local counts, endings, fields = receive_counts(state.held), {}, {}
  local count, reports_progress = 0, #state.held > 0 and redis.call('EXISTS', KEYS[13]) == 1
  for i = 1, #state.held, 2 do
    local id, rc = state.held[i], state.held[i + 1]
    local now_rc = tonumber(counts[(i + 1) / 2] or nil)
    local mine = now_rc == rc
    local stop = mine and stop_of(state, id, rc)
    if state.slots then free_slots(state, id) end
    if reports_progress and (mine or not now_rc) then redis.call('HDEL', KEYS[13], id) end
    if stop then
      local failed, crashed = read_ends(id)
      local body = {}
      add_body(body, id)
      record_endings(lane, tostring(stop[3]), { { id, rc, 'cancelled', failed, crashed, claimed_ms(id) } }, body)
      forget(id, 'cancelled')
    elseif now_rc then
      count = count + 1
      local failed, crashed, released = read_ends(id)
      local word, vanished = 'released', vanished_of(id, crashed)
      if not started or started[id] or started[string.sub(id, 1, MARK_BYTES)] then
        crashed, word = crashed + 1, 'abandoned'
        if not started then vanished = vanished + 1 end
      else
        released = released + 1
      end
      local own, most = crashed - vanished, max_crashes
      if not started then own, most = vanished, max_crashes * VANISHED_FACTOR end
      if mine and word == 'abandoned' and own >= most then word = 'dead' end
      add_body(fields, id)
      endings[#endings + 1] = { id, rc, word, failed, crashed, word ~= 'released' and claimed_ms(id) or 0 }
      if word == 'dead' then
        bury(id)
      else
        write_ends(id, failed, crashed, released, vanished)
        if mine then
          note_unheld(id)
          redis.call('ZADD', KEYS[2], head_score(id), id)
        end
      end
    else
      lose(state, id, rc)
    end
  end
  for i = 1, #(state.lost or {}), 2 do
    local id = state.lost[i]
    local failed, crashed = read_ends(id)
    local word = redis.call('HEXISTS', KEYS[1], id) == 1 and 'lease lost' or 'gone'
    add_body(fields, id)
    endings[#endings + 1] = { id, state.lost[i + 1], word, failed, crashed, 0 }
  end
  drop_lane(lane)
  if #endings > 0 then
    record_endings(lane, reason, endings, fields)
    has_come_due = true
  end
  start_next()
  return count
end

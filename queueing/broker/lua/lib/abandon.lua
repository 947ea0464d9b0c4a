-- Give back the messages that a child held when it died. `started` has the ids that the child had started;
-- nil means that its worker has vanished, so all may have started. Only started messages count a crash. A message
-- that somebody asked to stop is cancelled. A delivery whose message is gone, or that the lane has lost, only ends in the
-- history. Returns the number of messages that were given back or are dead.
--
-- If the child lives, `in_hand` has the ids that it keeps.
--
-- A platform ends a whole worker, its keeper included, and so does a message that uses up the memory of the machine.
-- The two look alike. So the crash of a whole worker isolates its messages like any crash, but a message is dead
-- only after many of them.
-- include bury
-- include endings
-- include next

-- The shared memory in which a worker marks started messages keeps this many bytes of an id.
local MARK_BYTES = 63
-- A message is dead after this many times MAX_CRASHES ends of whole workers.
local VANISHED_FACTOR = 3

local function abandon(lane, started, reason, max_crashes, in_hand)
  local state, lease_end_ms = read_lane(lane)
  local given_back, kept = {}, {}
  for i = 1, #state.held, 2 do
    local group = in_hand and in_hand[state.held[i]] and kept or given_back
    group[#group + 1], group[#group + 2] = state.held[i], state.held[i + 1]
  end
  -- The deliveries that only end in the history. Those that a living child has lost may still be settled.
  local gone = not in_hand and state.lost or {}
  if #given_back + #gone > 0 then
    check_outbox()
    check_burial()
  end
  if state.slots then check_limits() end
  local counts, endings, fields = receive_counts(given_back), {}, {}
  local count, reports_progress = 0, #given_back > 0 and redis.call('EXISTS', KEYS[13]) == 1
  for i = 1, #given_back, 2 do
    local id, rc = given_back[i], given_back[i + 1]
    local now_rc = tonumber(counts[(i + 1) / 2] or nil)
    local mine = now_rc == rc
    local stop = mine and stop_of(state, id, rc)
    drop_delivery(state, id)
    if reports_progress and (mine or not now_rc) then redis.call('HDEL', KEYS[13], id) end
    if stop then
      local ends, body = read_ends(id), {}
      add_body(body, id)
      local ending = { id, rc, 'cancelled', ends.failed, ends.crashed, claimed_ms(id, ends) }
      record_endings(lane, tostring(stop[3]), { ending }, body)
      forget(id, 'cancelled')
    elseif now_rc then
      count = count + 1
      local ends, word, began_ms = read_ends(id), 'released', 0
      if not started or started[id] or started[string.sub(id, 1, MARK_BYTES)] then
        word, began_ms = 'abandoned', claimed_ms(id, ends)
        ends.crashed = ends.crashed + 1
        if not started then ends.vanished = ends.vanished + 1 end
        local own, most = ends.crashed - ends.vanished, max_crashes
        if not started then own, most = ends.vanished, max_crashes * VANISHED_FACTOR end
        if mine and own >= most then word = 'dead' end
      else
        ends.released = ends.released + 1
      end
      add_body(fields, id)
      endings[#endings + 1] = { id, rc, word, ends.failed, ends.crashed, began_ms }
      if word == 'dead' then
        bury(id)
      else
        write_ends(id, ends, mine and rc)
        if mine then come_due(id, head_score(id)) end
      end
    else
      gone[#gone + 1], gone[#gone + 2] = id, rc
    end
  end
  for i = 1, #gone, 2 do
    local id = gone[i]
    local ends = read_ends(id)
    local word = redis.call('HEXISTS', KEYS[1], id) == 1 and 'lease lost' or 'gone'
    add_body(fields, id)
    endings[#endings + 1] = { id, gone[i + 1], word, ends.failed, ends.crashed, 0 }
  end
  if in_hand then
    state.held, state.taken = kept, 0
    write_lane(lane, state, lease_end_ms)
  else
    redis.call('HDEL', KEYS[10], lane)
    redis.call('ZREM', KEYS[9], lane)
  end
  if #endings > 0 then record_endings(lane, reason, endings, fields) end
  start_next()
  return count
end

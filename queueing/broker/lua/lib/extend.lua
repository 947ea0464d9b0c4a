-- Extend the lease of the messages that a lane still holds. The lane loses those that another receiver took over.
local function extend(lane, state, lease_ms)
  local counts, kept, scores, lost = receive_counts(state.held), {}, {}, {}
  local lease_end_ms = now_ms + lease_ms
  local last_claim = #state.held - 2 * state.taken + 1
  for i = 1, #state.held, 2 do
    local id, rc = state.held[i], state.held[i + 1]
    if tonumber(counts[(i + 1) / 2] or nil) == rc then
      kept[#kept + 1], kept[#kept + 2] = id, rc
      scores[#scores + 1], scores[#scores + 2] = whole(lease_end_ms), id
    else
      lost[#lost + 1] = id
      lose(state, id, rc)
      -- A repeated claim returns the end of the list.
      if i >= last_claim then state.taken = state.taken - 1 end
    end
  end
  if #scores > 0 then redis.call('ZADD', KEYS[2], 'XX', unpack(scores)) end
  state.held = kept
  write_lane(lane, state, lease_end_ms)
  return lease_end_ms, lost
end

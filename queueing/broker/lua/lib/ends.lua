-- The ends of a message: see lib/queue.lua
-- include held
-- Returns failed, crashed, released, and how many of `released` are receives before the message moved here.
local function read_ends(id)
  local text = redis.call('HGET', KEYS[3], id)
  local failed, crashed, released = string.match(text or '', '^(%d+) (%d+) (%d+)')
  local moved = text and string.match(text, '^%d+ %d+ %d+ %d+ %d+ (%d+)')
  return receive_count(failed), receive_count(crashed), receive_count(released), receive_count(moved)
end

-- When the present delivery of a message was claimed, else when it was first received; 0 if unknown.
local function claimed_ms(id)
  local ms = string.match(redis.call('HGET', KEYS[3], id) or '', '^%d+ %d+ %d+ ([1-9]%d*)')
  return receive_count(ms or redis.call('HGET', KEYS[1], id .. ':fr'))
end

-- How many of the crashes of a message were the end of a whole worker. The ends have it after the time of a claim.
local function vanished_of(id, crashed)
  if crashed == 0 then return 0 end
  return receive_count(string.match(redis.call('HGET', KEYS[3], id) or '', '^%d+ %d+ %d+ %d+ (%d+)'))
end

local function write_ends(id, failed, crashed, released, vanished)
  local text = string.format('%d %d %d', failed, crashed, released)
  vanished = vanished or vanished_of(id, crashed)
  local _, _, _, moved = read_ends(id)
  if vanished + moved > 0 then text = text .. string.format(' %s %d', whole(claimed_ms(id)), vanished) end
  if moved > 0 then text = text .. ' ' .. whole(moved) end
  redis.call('HSET', KEYS[3], id, text)
end

-- Nobody holds a message now. Only a delivery that an earlier receiver let time out has not ended then.
local function note_unheld(id)
  local rc = receive_count(redis.call('HGET', KEYS[1], id .. ':rc'))
  local failed, crashed, released, moved = read_ends(id)
  if rc <= failed + crashed + released then return end
  redis.call('HSET', KEYS[3], id, string.format('%d %d %d %s %d %s %s', failed, crashed, released,
    whole(claimed_ms(id)), vanished_of(id, crashed), whole(moved), whole(rc)))
end

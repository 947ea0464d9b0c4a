-- Sample several queues for the charts: how many messages entered and left each since the last sample, by any
-- program, and how many it holds now.
--
-- KEYS per queue: as in lib/queue.lua, then leases, held, metrics
-- ARGV per queue: as in lib/dead_letters.lua
-- Returns {'ok'}, or {'deadLetterQueue', queue, name of its dead-letter queue, …} with the queues whose keys
-- belong to another dead-letter queue; these are not sampled
--
-- include clock
-- include metrics
local KEYS_EACH, ARGS_EACH = 11, 3
-- The state of a queue between two samples is unknown if they are further apart.
local GAP_MS = 150000
-- The last samples cover some minutes, for rates.
local LAST_SAMPLES = 7
local all_keys, all_args, moved = KEYS, ARGV, {}

local function read_last(key)
  local samples = sums_in(redis.call('HGET', key, 'last'))
  for _, sample in ipairs(samples) do
    if type(sample) ~= 'table' or #sample ~= 4 then return {} end
    for i = 1, 4 do if not countable(sample[i]) then return {} end end
  end
  return samples
end

-- The sums that this sample adds to the minute. An empty queue at rest adds nothing and so needs no field.
local function changes(previous, sent, msgs)
  if not previous then return {} end
  if now_ms - previous[1] > GAP_MS then return { min_unseen_ms = previous[1] } end
  -- A total that has fallen was reset.
  local new = sent >= previous[2] and sent - previous[2] or sent
  local left = new - (msgs - previous[4])
  return { sent = new > 0 and new or nil, left = left > 0 and left or nil }
end

local function look(KEYS, ARGV)
-- include queue
  if not queue_exists then return end
  local elsewhere = other_dead_letter_queue(ARGV[2], ARGV[1])
  if elsewhere then return elsewhere end
-- include lanes
-- include depths
  local totals = redis.call('HMGET', KEYS[1], 'totalsent', 'totalrecv')
  local sent, received = receive_count(totals[1]), receive_count(totals[2])
  local msgs = redis.call('ZCARD', KEYS[2])
  local ready, running, dead, waiting_ms = depths()
  local samples = read_last(KEYS[11])
  local sums = changes(samples[#samples], sent, msgs)
  local stands = { ready = ready, delayed = math.max(0, msgs - ready - running), running = running, dead = dead,
    latency_ms = tonumber(waiting_ms) }
  for name, value in pairs(stands) do
    if value > 0 then sums['max_' .. name] = value end
  end
  if next(sums) then try_to_add_counts(KEYS[11], sums) end
  samples[#samples + 1] = { now_ms, sent, received, msgs }
  while #samples > LAST_SAMPLES do table.remove(samples, 1) end
  redis.call('HSET', KEYS[11], 'last', cjson.encode(samples))
  redis.call('HSETNX', KEYS[11], 'since', whole(now_ms))
end

for first = 1, #all_keys, KEYS_EACH do
  local index = ARGS_EACH * (first - 1) / KEYS_EACH + 1
  local keys = { unpack(all_keys, first, first + KEYS_EACH - 1) }
  local args = { all_args[index], all_args[index + 1] }
  -- A queue with spoilt keys does not hide the others.
  local is_fine, elsewhere = pcall(look, keys, args)
  if is_fine and elsewhere then moved[#moved + 1], moved[#moved + 2] = args[1], elsewhere end
end
return { #moved > 0 and 'deadLetterQueue' or 'ok', unpack(moved) }

-- The outbox: one entry has all outcomes of one script. KEYS and ARGV[1…5] as in lib/keys.lua
-- include entries
-- include unrecorded

-- Read before the first write, so that a key of another type fails here.
local function check_outbox()
  for _, i in ipairs({ 3, 12, 13, 15 }) do redis.call('HLEN', KEYS[i]) end
  redis.call('XLEN', KEYS[11])
  redis.call('ZCARD', waking)
end

-- Only another program writes entries with numbers far ahead. They would leave no numbers for later entries.
local function drop_future_entries()
  local kept = redis.call('XRANGE', KEYS[11], '-', whole(now_ms + 86400000))
  count_up(KEYS[12], 'lost', redis.call('XLEN', KEYS[11]) - #kept)
  redis.call('DEL', KEYS[11])
  for _, entry in ipairs(kept) do redis.call('XADD', KEYS[11], entry[1], unpack(entry[2])) end
end

local function add_entry(entry)
  local number = redis.pcall('XADD', KEYS[11], '*', unpack(entry))
  if type(number) == 'string' then return number end
  -- Any other error does not concern numbers, and would occur again after the entries were dropped.
  if string.find(number.err, 'exhausted') or string.find(number.err, 'equal or smaller') then
    drop_future_entries()
  end
  return redis.call('XADD', KEYS[11], '*', unpack(entry))
end

local function recount_bytes()
  local bytes = 0
  for _, entry in ipairs(redis.call('XRANGE', KEYS[11], '-', '+')) do bytes = bytes + size_of(entry[2]) end
  redis.call('HSET', KEYS[12], 'bytes', bytes)
  return bytes
end

-- Add one entry per batch. If the outbox is full, its oldest entries are dropped and counted as lost. `tasks`
-- has the ids of the tasks in the entry.
local function record(count, fields, tasks)
  local size, limit = 0, tonumber(ARGV[5])
  for i = 2, #fields, 2 do size = size + #fields[i] end
  if size > limit then
    count_up(KEYS[12], 'lost', count)
    return
  end
  local entry = { 'count', count, 'bytes', size, 'ms', whole(now_ms) }
  if #tasks > 0 then entry[7], entry[8] = 'tasks', table.concat(tasks, ' ') end
  for _, value in ipairs(fields) do entry[#entry + 1] = value end
  entry[#entry + 1], entry[#entry + 2] = 'format', FORMAT
  local number = add_entry(entry)
  if #tasks > 0 then
    remember_tasks(KEYS[15], tasks, number)
    announce_tasks(ARGV[4], tasks)
  end
  local waiting = count_up(KEYS[12], 'bytes', size)
  -- The outbox is never that full: another program has changed the counter.
  if waiting > 2 * limit or waiting < size then waiting = recount_bytes() end
  while waiting > limit do
    local oldest = redis.call('XRANGE', KEYS[11], '-', '+', 'COUNT', 1)[1]
    if not oldest then
      redis.call('HSET', KEYS[12], 'bytes', 0)
      return
    end
    local bytes, outcomes = size_of(oldest[2])
    redis.call('XDEL', KEYS[11], oldest[1])
    forget_tasks(KEYS[15], oldest[1], oldest[2])
    waiting = count_up(KEYS[12], 'bytes', 0 - bytes)
    count_up(KEYS[12], 'lost', outcomes)
  end
end

-- include metrics
-- Count outcomes by their words, but not for a queue that no longer exists.
local function count_words(words, packed)
  if queue_exists then try_to_add_counts(KEYS[14], words, packed) end
end

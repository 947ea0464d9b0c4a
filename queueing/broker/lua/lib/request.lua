-- Requests of unique messages: decide whether a message is sent, or an earlier one with its key takes the request.
-- KEYS as in lib/put.lua
--
-- The records and keys of the hash `unique` that this call changes, and records of ids that are gone.
local unique, ends
local records, newest, gone = {}, {}, {}

local function record_of(id)
  if not records[id] then
    local digest, before, after, due_ms = unique_of(unique, id)
    return digest and { digest, before, after, due_ms }
  end
  return records[id]
end

-- The newest message with a key that is still in the queue.
local function holder_of(digest)
  if newest[digest] then return newest[digest] end
  local id = redis.call('HGET', unique, 'k:' .. digest)
  for _ = 1, 10 do
    if not id or id == '-' then return nil end
    if redis.call('ZSCORE', KEYS[2], id) then return id end
    if #gone < 1000 then gone[#gone + 1] = id end
    local record = record_of(id)
    id = record and record[2]
  end
end

-- Whether a delivery of a message is not settled: a receiver has it, or had it and may still end it.
local function is_received(id)
  local rc = receive_count(redis.call('HGET', KEYS[1], id .. ':rc'))
  if rc == 0 then return false end
  local failed, crashed, released = string.match(redis.call('HGET', ends, id) or '', '^(%d+) (%d+) (%d+)')
  return rc > receive_count(failed) + receive_count(crashed) + receive_count(released)
end

-- `option` is "<number of the key> <until> <on_conflict> <digest>". Returns the id of the message that takes the
-- request, whether the request replaces its body, and the ms until which it is parked, if it is.
local function request(option, id, due_ms)
  local place, lasts, on_conflict, digest = string.match(option, '^(%d+) (%S+) (%S+) (%S+)$')
  unique, ends = KEYS[8 + place], KEYS[9 + place]
  local holder, parked_ms = holder_of(digest), nil
  local record = { digest, '-', '-', whole(due_ms) }
  if holder then
    -- A message of this call is not in the queue yet.
    if newest[digest] or not is_received(holder) then
      return holder, on_conflict == 'replace'
    end
    if lasts == 'until_done' and on_conflict == 'skip' then return holder end
    if lasts == 'until_done' then
      local before = record_of(holder) or { digest, '-', '-', '0' }
      before[3], record[2] = id, holder
      records[holder] = before
      parked_ms = math.max(parked_behind(holder), due_ms)
    end
  end
  records[id], newest[digest] = record, id
  return id, false, parked_ms
end

-- A parked message whose due time is replaced waits for the other message, too.
local function replace_due(id, due_ms)
  local record = record_of(id)
  if record then
    record[4] = whole(due_ms)
    records[id] = record
  end
  return record and record[2] ~= '-'
end

local function write_requests()
  if #gone > 0 then redis.call('HDEL', unique, unpack(gone)) end
  local fields = {}
  for id, record in pairs(records) do
    fields[#fields + 1], fields[#fields + 2] = id, unique_text(unpack(record))
  end
  for digest, id in pairs(newest) do
    fields[#fields + 1], fields[#fields + 2] = 'k:' .. digest, id
  end
  if #fields > 0 then redis.call('HSET', unique, unpack(fields)) end
end

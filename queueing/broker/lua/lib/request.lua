-- Requests of unique messages: decide whether a message is sent, or an earlier one with its key takes the request.
-- KEYS as in lib/put.lua
--
-- The functions are made for calls with unique messages only: a send of one plain message would notice them.
local function open_requests()
  -- include unique
  -- include ends
  -- include limit_headers
  -- The records and keys of the hash `unique` that this call changes, and records of ids that are gone.
  local unique, ends, waits
  local records, newest, gone, priorities_sent = {}, {}, {}, {}
  -- The earlier headers of messages that are replaced.
  local replaced = {}

  -- The record of a message. Another program may have spoilt the stored one.
  local function record_of(id, wanted)
    if records[id] then return records[id] end
    local digest, before, after, due_ms = unique_of(unique, id)
    return { digest or wanted, before or '-', after or '-', due_ms or '0' }
  end

  -- The newest message with a key that is still in the queue.
  local function holder_of(digest)
    if newest[digest] then return newest[digest] end
    local id = redis.call('HGET', unique, 'k:' .. digest)
    for _ = 1, 10 do
      if not id or id == '-' then return nil end
      if redis.call('ZSCORE', KEYS[2], id) then return id end
      if #gone < 1000 then gone[#gone + 1] = id end
      id = record_of(id, digest)[2]
    end
  end

  -- Whether a receiver has a message, or had it and may still end it.
  local function is_taken(id)
    local rc = receive_count(redis.call('HGET', KEYS[1], id .. ':rc'))
    return rc > 0 and may_be_held(rc, ends_in(redis.call('HGET', ends, id)))
  end

  -- The message that takes a request: {id, is_replaced, is_parked, due_ms, priority}. `id`, `due_ms` and `priority`
  -- are those of the request. An earlier message keeps its place, unless `is_explicit` gives it a due time.
  local function take(option, id, due_ms, is_explicit, priority)
    local place, lasts, on_conflict, digest = string.match(option, '^(%d+) (%S+) (%S+) (%S+)$')
    unique, ends, waits = KEYS[8 + place], KEYS[9 + place], KEYS[10 + place]
    local holder = holder_of(digest)
    -- A message of this call is not in the queue yet.
    local is_waiting = holder and (newest[digest] or not is_taken(holder))
    if is_waiting or (holder and lasts == 'until_done' and on_conflict == 'skip') then
      local taker = { id = holder, is_replaced = is_waiting and on_conflict == 'replace' }
      if not taker.is_replaced then return taker end
      local headers = redis.call('HGET', KEYS[4], holder)
      local stored = priority_in(headers)
      replaced[#replaced + 1] = headers
      taker.priority = priorities_sent[holder] or (stored > 0 and stored or nil)
      local record = record_of(holder, digest)
      if is_explicit then
        local parked_ms = record[2] ~= '-' and parked_behind(record[2])
        taker.due_ms, taker.is_parked = math.max(parked_ms or 0, due_ms), parked_ms
        record[4], records[holder] = whole(due_ms), record
      end
      return taker
    end
    local record = { digest, '-', '-', whole(due_ms) }
    local taker = { id = id, due_ms = due_ms, priority = priority }
    if holder and lasts == 'until_done' then
      local before = record_of(holder, digest)
      before[3], record[2], records[holder] = id, holder, before
      taker.due_ms, taker.is_parked = math.max(parked_behind(holder), due_ms), true
    end
    records[id], newest[digest], priorities_sent[id] = record, id, priority
    return taker
  end

  local function write()
    if #gone > 0 then redis.call('HDEL', unique, unpack(gone)) end
    local fields = {}
    for id, record in pairs(records) do
      fields[#fields + 1], fields[#fields + 2] = id, table.concat(record, ' ')
    end
    for digest, id in pairs(newest) do
      fields[#fields + 1], fields[#fields + 2] = 'k:' .. digest, id
    end
    if #fields > 0 then redis.call('HSET', unique, unpack(fields)) end
    -- A replaced message may be due later, or have another limit. The next claim lets those behind it move up.
    for _, headers in ipairs(replaced) do
      local limit, queue = limit_of(headers), string.match(ARGV[2], '[^:]*$')
      if limit then redis.pcall('ZADD', waits, 0, '\1' .. queue .. '\1' .. limit.key) end
    end
  end

  return { take = take, write = write }
end

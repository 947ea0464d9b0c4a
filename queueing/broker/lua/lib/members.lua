-- Members of batches. The headers of a message name its batch, so a plain message costs nothing.
--
-- The including script sets these keys:
--   batches (hash)         id of a batch -> JSON: parent, queues; then, after the id and a space:
--     done, failed, cancelled   how many members have ended so
--     total                     how many members there are, once all are sent; -1 if their sender was cut off
--     on_success, on_failure    the message that is sent at the end, as in `follow_ups`
--     callback                  the end for which that message was sent: there is one in all
--     recalled, ended           ms of the request to cancel it, and of its end
--   batch_order (zset)     id of a batch -> ms of its beginning or of its end
--   failed_members (zset)  "<batch> <member> <queue>", all with the score 0. The queue is that in which the member
--                          died, '' if the member is a batch. A member that runs again leaves it.
--   follow_ups (hash)      id of a message that is to be sent -> JSON: id, queue, body, headers and options
-- include numbers

-- Another program could write a batch that contains itself.
local MAX_NESTING = 20

-- The messages that are to be sent, for the caller to send at once. The keeper sends what a caller does not.
local new_follow_ups = {}

local function follow_with(id, text)
  redis.call('HSET', follow_ups, id, text)
  new_follow_ups[#new_follow_ups + 1] = text
end

-- Read before the first write, so that a key of another type fails here.
local function check_members()
  redis.call('HLEN', batches)
  redis.call('ZCARD', batch_order)
  redis.call('ZCARD', failed_members)
  redis.call('HLEN', follow_ups)
end

-- The batch that a value of the headers names, or nil. Inside of another text its quotes would be escaped.
local function batch_in(headers)
  return headers and string.match(headers, '"queueing%-batch"%s*:%s*"(%w+)"')
end

local function parent_of(batch)
  local is_json, record = pcall(cjson.decode, redis.call('HGET', batches, batch) or '')
  local parent = is_json and type(record) == 'table' and record.parent
  return type(parent) == 'string' and parent or nil
end

-- The ms at which a batch, or one that it is part of, was cancelled, else nil.
local function recalled_ms(batch)
  for _ = 1, MAX_NESTING do
    if not batch then return nil end
    local ms = redis.call('HGET', batches, batch .. ' recalled')
    if ms then return stored_int(ms) or 0 end
    batch = parent_of(batch)
  end
end

-- All members of a batch have ended. Send its callback, unless one was sent when it ended before.
local function end_batch(batch, ending)
  redis.call('HSET', batches, batch .. ' ended', whole(now_ms))
  redis.call('ZADD', batch_order, 'XX', whole(now_ms), batch)
  local name = batch .. (ending == 'done' and ' on_success' or ' on_failure')
  local text = redis.call('HGET', batches, name) or ''
  -- Not by cjson, which refuses half of a surrogate pair in a body.
  local id = string.match(text, '^{"id": "([%w:]+)"')
  if id and redis.call('HSETNX', batches, batch .. ' callback', ending) == 1 then follow_with(id, text) end
end

-- Count the end of members: 'done', 'failed' or 'cancelled', or 'continued' if their chains continue. `queue` is
-- needed for 'failed'. A batch that ends is a member of its parent.
local function count_members(batch, members, ending, queue)
  for _ = 1, MAX_NESTING do
    if not batch then return end
    local done, failed, cancelled, total = unpack(redis.call('HMGET', batches, batch .. ' done', batch .. ' failed',
      batch .. ' cancelled', batch .. ' total'))
    if not done then return end
    local counts = {
      done = stored_int(done) or 0, failed = stored_int(failed) or 0, cancelled = stored_int(cancelled) or 0,
    }
    if counts.failed > 0 then
      local left = 0
      for _, member in ipairs(members) do
        local name = batch .. ' ' .. member
        local found = redis.call('ZRANGEBYLEX', failed_members, '[' .. name .. ' ', '(' .. name .. '!')
        if #found > 0 then left = left + redis.call('ZREM', failed_members, unpack(found)) end
      end
      if left > 0 then counts.failed = count_up(batches, batch .. ' failed', -left) end
    end
    if ending == 'continued' then return end
    if ending == 'failed' then
      for _, member in ipairs(members) do
        redis.call('ZADD', failed_members, 0, batch .. ' ' .. member .. ' ' .. queue)
      end
    end
    counts[ending] = count_up(batches, batch .. ' ' .. ending, #members)
    if counts.done + counts.failed + counts.cancelled ~= stored_int(total) then return end
    ending = counts.failed > 0 and 'failed' or counts.cancelled > 0 and 'cancelled' or 'done'
    end_batch(batch, ending)
    batch, members, queue = parent_of(batch), { batch }, ''
  end
end

-- The same for members of several batches: `found` is {id, headers, …}.
local function count_each(found, ending)
  local members_of = {}
  for i = 1, #found, 2 do
    local batch = batch_in(found[i + 1])
    if batch then
      members_of[batch] = members_of[batch] or {}
      table.insert(members_of[batch], found[i])
    end
  end
  for batch, members in pairs(members_of) do count_members(batch, members, ending) end
end

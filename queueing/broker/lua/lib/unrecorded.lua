-- Index of the outbox entries with outcomes of tasks, by message id, so that a lookup does not search the
-- outbox.
local function remember_tasks(key, ids, entry)
  local known, fields = redis.call('HMGET', key, unpack(ids)), {}
  for i, id in ipairs(ids) do
    fields[#fields + 1] = id
    fields[#fields + 1] = known[i] and (known[i] .. ' ' .. entry) or entry
  end
  redis.call('HSET', key, unpack(fields))
end

-- Wake the readers that wait for the end of a task. `channel` is that of the queue ARGV[1]: the channel of a
-- task has its id in place of the queue. A Redis user without permission for the channel cannot publish.
local function announce_tasks(channel, ids)
  local prefix = string.sub(channel, 1, #channel - #ARGV[1])
  for _, id in ipairs(ids) do redis.pcall('PUBLISH', prefix .. id, '') end
end

-- Remove an entry of the outbox from the index. The entry has the ids of its tasks.
local function forget_tasks(key, entry, fields)
  if fields[7] ~= 'tasks' then return end
  for id in string.gmatch(fields[8] or '', '%S+') do
    local left = {}
    for other in string.gmatch(redis.call('HGET', key, id) or '', '%S+') do
      if other ~= entry then left[#left + 1] = other end
    end
    if #left == 0 then
      redis.call('HDEL', key, id)
    else
      redis.call('HSET', key, id, table.concat(left, ' '))
    end
  end
end

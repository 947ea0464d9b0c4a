-- Due ids in delivery order, without phantoms. A phantom is an id without a body: readers would receive an
-- empty message again and again, so it is dropped here. `sizes` has the bytes of each body by id.
local sizes = {}

local function due_ids(count)
  for _ = 1, 100 do
    local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now_ms), 'LIMIT', 0, count)
    if #ids == 0 then return ids end
    local found, phantoms = {}, {}
    for _, id in ipairs(ids) do
      sizes[id] = redis.call('HSTRLEN', KEYS[1], id)
      if sizes[id] > 0 or redis.call('HEXISTS', KEYS[1], id) == 1 then
        found[#found + 1] = id
      else
        phantoms[#phantoms + 1] = id
      end
    end
    if #phantoms > 0 then
      redis.call('ZREM', KEYS[2], unpack(phantoms))
      for _, id in ipairs(phantoms) do
        redis.call('HDEL', KEYS[1], id .. ':rc', id .. ':fr')
      end
    end
    if #found > 0 then return found end
  end
  return {}
end

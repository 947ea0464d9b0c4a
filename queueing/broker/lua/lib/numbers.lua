-- Redis before 7 writes Lua numbers with 14 digits, too few for µs and fragile for ms. As an integer a number
-- is written twice as fast; beyond 2^53 it may be none, or infinite.
local function whole(number)
  if number > -9007199254740992 and number < 9007199254740992 then return string.format('%d', number) end
  return string.format('%.0f', number)
end

local MAX_INTEGER = 9007199254740991

-- An integer as JavaScript's parseInt reads it, within what a double counts exactly: other programs leave
-- floats and worse.
local function stored_int(text)
  local number = tonumber(string.match(text or '', '^%s*([+-]?%d+)') or nil)
  return number and math.max(-MAX_INTEGER, math.min(MAX_INTEGER, number))
end

-- Add to a counter of a hash. One that another program has spoilt begins again.
local function count_up(key, field, by)
  local sum = redis.pcall('HINCRBY', key, field, by)
  if type(sum) == 'number' then return sum end
  -- Any other error is not about the counter.
  if not (string.find(sum.err, 'integer') or string.find(sum.err, 'overflow')) then
    return redis.call('HINCRBY', key, field, by)
  end
  redis.call('HSET', key, field, whole(math.max(0, by)))
  return math.max(0, by)
end

-- How often a message was received; what is no number, or too large to count on, is none.
local function receive_count(text)
  local count = stored_int(text) or 0
  if count < 0 or count >= MAX_INTEGER then return 0 end
  return count
end

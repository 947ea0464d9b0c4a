-- Redis before 7 writes Lua numbers with 14 digits, too few for µs and barely enough for ms. The integer
-- format is twice as fast; beyond 2^53 a number may be fractional or infinite.
local function whole(number)
  if number > -9007199254740992 and number < 9007199254740992 then return string.format('%d', number) end
  return string.format('%.0f', number)
end

local MAX_INTEGER = 9007199254740991

-- Parse an integer as JavaScript's parseInt does, limited to what a double counts exactly. Other programs
-- write floats and worse.
local function stored_int(text)
  local number = tonumber(string.match(text or '', '^%s*([+-]?%d+)') or nil)
  return number and math.max(-MAX_INTEGER, math.min(MAX_INTEGER, number))
end

-- Add to a counter of a hash. A counter that another program has spoilt starts again.
local function count_up(key, field, by)
  local sum = redis.pcall('HINCRBY', key, field, by)
  if type(sum) == 'number' then return sum end
  -- Any other error does not concern the counter.
  if not (string.find(sum.err, 'integer') or string.find(sum.err, 'overflow')) then
    return redis.call('HINCRBY', key, field, by)
  end
  redis.call('HSET', key, field, whole(math.max(0, by)))
  return math.max(0, by)
end

-- How often a message was received. A value that is not a number, or is too large to count on, means 0.
local function receive_count(text)
  local count = stored_int(text) or 0
  if count < 0 or count >= MAX_INTEGER then return 0 end
  return count
end

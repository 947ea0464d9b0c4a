-- Redis before 7 writes Lua numbers with 14 digits, too few for µs and fragile for ms. As an integer a number
-- is written twice as fast; beyond 2^53 it may be none, or infinite.
local function whole(number)
  if number > -9007199254740992 and number < 9007199254740992 then return string.format('%d', number) end
  return string.format('%.0f', number)
end

-- An integer as JavaScript's parseInt reads it: other programs leave floats and worse.
local function stored_int(text)
  return tonumber(string.match(text or '', '^%s*([+-]?%d+)') or nil)
end

-- How often a message was received; what is no number, or too large to count on, is none.
local function receive_count(text)
  local count = stored_int(text) or 0
  if count < 0 or count > 9007199254740991 then return 0 end
  return count
end

-- The format of the outbox entries that this release writes. Raise it with each change that an older recorder
-- would misread. outcomes.py must still read the format before it.
local FORMAT = 1

-- The number is the last field. Entries without a number, or with a longer one, have format 1.
local function format_of(fields)
  return fields[#fields - 1] == 'format' and tonumber(string.match(fields[#fields], '^%d%d?%d?$') or nil) or 1
end

-- The bytes of an entry that count against the outbox, and its outcomes. The declared figures are capped,
-- because another program may have written the entry.
local function size_of(fields)
  local bytes = 0
  for _, text in ipairs(fields) do bytes = bytes + #text end
  local declared, count = stored_int(fields[4]) or 0, stored_int(fields[2]) or 1
  return math.max(0, math.min(declared, bytes)), math.max(1, math.min(count, 1000))
end

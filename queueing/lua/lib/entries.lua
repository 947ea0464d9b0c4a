-- The format of the outbox entries that this release writes. Raise it with each change that an older recorder
-- would misread, and let outcomes.py go on reading the format before it.
local FORMAT = 1

-- The number is the last field. Entries without one are of format 1.
local function format_of(fields)
  return fields[#fields - 1] == 'format' and tonumber(fields[#fields]) or 1
end

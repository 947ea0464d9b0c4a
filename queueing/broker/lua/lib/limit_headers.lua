-- Parse the limit of a message. It is in the headers that this package adds.
-- include bands
--
-- The limit in a text "<how many at a time> <µs between two starts> <key>", 0 for no such limit.
local function limit_in(text)
  local concurrency, interval_us, key = string.match(text, '^(%d+) (%d+) ([^\1\2]+)$')
  if not key or #concurrency > 9 or #interval_us > 15 or #key > 1000 then return nil end
  return { concurrency = tonumber(concurrency), interval_us = tonumber(interval_us), key = key }
end

-- The limit in the headers of a message, or nil.
local function limit_of(headers)
  if not headers or not string.find(headers, '"queueing-limit"', 1, true) then return nil end
  local is_json, texts = pcall(cjson.decode, string.match(headers, '^p%d+ (.*)$') or headers)
  local text = is_json and type(texts) == 'table' and texts['queueing-limit']
  return type(text) == 'string' and limit_in(text) or nil
end

-- The member of a message in the line of its key.
local function place_of(limit, id, headers)
  return string.format('%s\1%03d\1%s', limit.key, 100 - priority_in(headers), id)
end

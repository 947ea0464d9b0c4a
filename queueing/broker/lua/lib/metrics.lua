-- The counters of a queue by time, in one hash: each field is a JSON object of sums.
--
--   now            "<minute> <JSON>" of the current minute: the only field that a batch writes
--   m<n> t<n> h<n> e<n> the counts of the n-th minute, twenty minutes, two and eight hours since 1970
--   total          the counts since the beginning
--   last           JSON of the last samples, {ms, totalsent, totalrecv, msgs} each, newest last
--   since          ms of the first sample
--
-- Most sums add up. Those named max_… keep the largest value, those named min_… the smallest. The first count
-- after the end of a minute adds that minute to the other fields and drops old fields. A queue that is always
-- busy takes 50 to 150 kB, an empty queue at rest less than one.
--
-- The spans are those of one point in each chart (hour, day, week, month), so that a page reads only the
-- fields that it draws. The fields of a month of a hundred queues are many already.
-- name, minutes of a field, how many are kept
local LEVELS = { { 'm', 1, 75 }, { 't', 20, 78 }, { 'h', 120, 90 }, { 'e', 480, 96 } }
-- If the clock is set back by at most this many minutes, counting continues in the minute before the change.
local BACK_MINUTES = 60

local function sums_in(text)
  local is_json, sums = pcall(cjson.decode, text or '{}')
  return is_json and type(sums) == 'table' and sums or {}
end

-- A number that JSON can hold; other programs may write any value into the hash.
local function countable(value)
  local number = tonumber(value)
  return number and number > -1e15 and number < 1e15 and number or nil
end

local function add_sums(sums, more)
  for name, value in pairs(more) do
    local old, new = countable(sums[name]), countable(value)
    local kind = string.sub(name, 1, 4)
    if not (old and new) then
      sums[name] = old or new
    elseif kind == 'max_' then
      sums[name] = math.max(old, new)
    elseif kind == 'min_' then
      sums[name] = math.min(old, new)
    else
      sums[name] = old + new
    end
  end
  return sums
end

local function drop_old(key, minute_now)
  local old = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    for _, level in ipairs(LEVELS) do
      local number = tonumber(string.match(field, '^' .. level[1] .. '(%d+)$') or nil)
      local minute = number and number * level[2]
      local is_kept = minute and minute + level[3] * level[2] > minute_now and minute <= minute_now + BACK_MINUTES
      if minute and not is_kept then old[#old + 1] = field end
    end
  end
  for i = 1, #old, 1000 do redis.call('HDEL', key, unpack(old, i, math.min(i + 999, #old))) end
end

-- Add a minute that is over to the longer spans.
local function fold(key, minute, sums, minute_now)
  local fields = {}
  for i, level in ipairs(LEVELS) do fields[i] = level[1] .. whole(math.floor(minute / level[2])) end
  fields[#fields + 1] = 'total'
  local texts, written = redis.call('HMGET', key, unpack(fields)), {}
  for i, field in ipairs(fields) do
    written[#written + 1] = field
    written[#written + 1] = cjson.encode(add_sums(sums_in(texts[i]), sums))
  end
  redis.call('HSET', key, unpack(written))
  if not texts[2] then drop_old(key, minute_now) end
end

local function add_counts(key, counts, packed)
  local minute_now = math.floor(now_ms / 60000)
  local minute, text = string.match(redis.call('HGET', key, 'now') or '', '^(%d+) (.*)$')
  minute = tonumber(minute)
  local sums = sums_in(text)
  if not minute or minute < minute_now or minute > minute_now + BACK_MINUTES then
    if minute and next(sums) then fold(key, minute, sums, minute_now) end
    minute, sums = minute_now, {}
  end
  add_sums(sums, counts)
  if packed and packed ~= '' then add_sums(sums, cjson.decode(packed)) end
  redis.call('HSET', key, 'now', whole(minute) .. ' ' .. cjson.encode(sums))
end

-- A hash that another program has spoilt is not counted in. It stops no message.
local function try_to_add_counts(key, counts, packed)
  return pcall(add_counts, key, counts, packed)
end

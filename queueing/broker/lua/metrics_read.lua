-- Read the metrics of several queues, by the minute, by twenty minutes, or by two or eight hours (see
-- lib/metrics.lua).
--
-- KEYS metrics of each queue
-- ARGV[1] 'm', 't', 'h' or 'e'  ARGV[2] minutes of such a field  ARGV[3] how many, up to the present one
-- ARGV[4…] names of other fields
-- Returns {now ms, then for each queue a list: number and JSON of each field that exists, '', then the other
-- fields, '' for each that is missing}
--
-- include clock
local minutes, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local last = math.floor(now_ms / 60000 / minutes)
local numbers, fields = {}, {}
for number = last - count + 1, last do
  numbers[#numbers + 1] = whole(number)
  fields[#fields + 1] = ARGV[1] .. whole(number)
end
for i = 4, #ARGV do fields[#fields + 1] = ARGV[i] end
local reply = { whole(now_ms) }
for _, key in ipairs(KEYS) do
  local of_queue = {}
  local texts = redis.pcall('HMGET', key, unpack(fields))
  if texts.err then texts = {} end
  for i, number in ipairs(numbers) do
    if texts[i] then of_queue[#of_queue + 1], of_queue[#of_queue + 2] = number, texts[i] end
  end
  of_queue[#of_queue + 1] = ''
  for i = #numbers + 1, #fields do of_queue[#of_queue + 1] = texts[i] or '' end
  reply[#reply + 1] = of_queue
end
return reply

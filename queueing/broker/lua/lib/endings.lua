-- include outbox
-- The beginning of a task's body.
local TASK_BEGINNING = '{"django_task"'

-- Outcomes that no worker packs: {id, rc, word, failed, crashed, ms of its claim or 0}, and for each a pair
-- 'body', text or, if the text is cut, 'cut', text. Only the first bodies of many are kept: one entry must
-- not push all others out of the outbox.
local BODY_BYTES, BODIES_BYTES = 16384, 262144
local recorded_bytes = 0

local function add_body(fields, id)
  local body = recorded_bytes <= BODIES_BYTES and redis.call('HGET', KEYS[1], id) or nil
  local kept = string.sub(body or '', 1, BODY_BYTES)
  recorded_bytes = recorded_bytes + #kept
  fields[#fields + 1] = body == kept and 'body' or 'cut'
  fields[#fields + 1] = kept
end

local function record_endings(lane, reason, endings, bodies)
  local fields = { 'ended',
    cjson.encode({ queue = ARGV[1], lane = lane, reason = reason, endings = endings }) }
  for _, value in ipairs(bodies) do fields[#fields + 1] = value end
  local tasks, counts = {}, {}
  for i, ending in ipairs(endings) do
    local is_task = string.sub(bodies[2 * i], 1, #TASK_BEGINNING) == TASK_BEGINNING
    -- Lookups of tasks use ids of RSMQ's form.
    if is_task and string.match(ending[1], '^[%w:]+$') then tasks[#tasks + 1] = ending[1] end
    counts[ending[3]] = (counts[ending[3]] or 0) + 1
  end
  record(#endings, fields, tasks)
  count_words(counts)
end

-- Delete messages that no receiver holds, and record each as cancelled. A message stays if a worker holds it
-- under a valid lease, or if another receiver hides it.
--
-- KEYS and ARGV[1…5] as in lib/room.lua
-- ARGV[6] reason, '' for none  ARGV[7…] ids
-- Returns {'ok', 'cancelled', 'running', 'hidden' or 'gone' for each}, {'queueNotFound'}, or the reply of
-- lib/room.lua for wrong keys
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include room
-- include drain
-- include bury
-- include lanes
local running = running_ids()

-- The ends of a message count its settled deliveries. A higher receive count means that a delivery is not
-- settled: another receiver has the message as long as it is hidden.
local function word_for(id, rc)
  local score = tonumber(redis.call('ZSCORE', KEYS[2], id) or nil)
  if not score or redis.call('HEXISTS', KEYS[1], id) == 0 then return 'gone' end
  if running[id] then return 'running' end
  local failed, crashed, released = read_ends(id)
  if score > now_ms and rc > failed + crashed + released then return 'hidden' end
  return 'cancelled'
end

check_room()
check_burial()
local reply, endings, bodies = { 'ok' }, {}, {}
for i = 7, #ARGV do
  local id = ARGV[i]
  local rc = receive_count(redis.call('HGET', KEYS[1], id .. ':rc'))
  local word = word_for(id, rc)
  if word == 'cancelled' then
    local failed, crashed = read_ends(id)
    -- The receipt of the delivery that would come next: the history keeps the newest receipt of a message.
    endings[#endings + 1] = { id, rc + 1, word, failed, crashed, 0 }
    add_body(bodies, id)
    forget(id)
  end
  reply[#reply + 1] = word
end
if #endings > 0 then record_endings('', ARGV[6], endings, bodies) end
return reply

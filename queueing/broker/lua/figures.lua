-- What there is to know about one queue at one moment.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
-- ARGV[1] name of the queue  ARGV[2] name of its dead-letter queue
-- Returns what attributes.lua does, then ready, running, dead, ms that the oldest ready one waits, and
-- '1' where the queue is paused; or {'deadLetterQueue', name} where the keys were those of another one
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
local elsewhere = other_dead_letter_queue(ARGV[2], ARGV[1])
if elsewhere then return { 'deadLetterQueue', elsewhere } end
-- include attributes
-- include lanes
-- include depths
local reply = attributes_reply()
for _, depth in ipairs({ depths() }) do reply[#reply + 1] = depth end
reply[#reply + 1] = is_paused or ''
return reply

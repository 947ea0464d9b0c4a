-- All figures of one queue at one moment.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
-- ARGV[1] name of the queue  ARGV[2] name of its dead-letter queue
-- Returns the reply of attributes.lua, then ready, running, dead, ms that the oldest ready message has
-- waited, and '1' if the queue is paused, else ''; or {'deadLetterQueue', name} if the keys belong to another
-- dead-letter queue
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

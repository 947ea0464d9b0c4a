-- All figures of one queue at one moment.
--
-- KEYS[1…8] as in lib/queue.lua  KEYS[9] leases  KEYS[10] held
-- ARGV[1…3] as in lib/dead_letters.lua
-- Returns the reply of attributes.lua, then ready, running, dead, ms that the oldest ready message has
-- waited, and '1' if the queue is paused, else ''; or the reply of lib/dead_letters.lua
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include dead_letters
-- include attributes
-- include lanes
-- include depths
local reply = attributes_reply()
for _, depth in ipairs({ depths() }) do reply[#reply + 1] = depth end
reply[#reply + 1] = is_paused or ''
return reply

-- The redrive policy of a queue may name another dead-letter queue than the one that the keys belong to.
--
-- KEYS[1…8] as in lib/queue.lua
-- ARGV[1] name of the queue    ARGV[2] name of its dead-letter queue
-- ARGV[3] seconds of retention of a new dead-letter queue
--
-- Returns {'deadLetterQueue', queue, name} if the keys belong to another one. Then nothing has changed.
local elsewhere = other_dead_letter_queue(ARGV[2], ARGV[1])
if elsewhere then return { 'deadLetterQueue', ARGV[1], elsewhere } end

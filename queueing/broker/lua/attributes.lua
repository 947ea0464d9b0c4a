-- RSMQ's nine attributes of a queue.
--
-- KEYS as in lib/queue.lua
-- Returns {'ok', vt, delay, maxsize, totalrecv, totalsent, created, modified, msgs, hiddenmsgs}
-- or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include attributes
return attributes_reply()

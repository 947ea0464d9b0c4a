-- RSMQ's nine attributes of a queue.
--
-- KEYS[1] attributes  KEYS[2] schedule
-- Returns {'ok', vt, delay, maxsize, totalrecv, totalsent, created, modified, msgs, hiddenmsgs}
-- or {RSMQ's error name}
--
-- include clock
-- include queue
if not queue_exists then return { 'queueNotFound' } end
-- include attributes
return attributes_reply()

-- Send a message that a settled one has brought about, and forget that it is to be sent, in one step. A second
-- caller finds nothing to send.
--
-- KEYS[1] attributes  KEYS[2] schedule  KEYS[3] follow-ups  KEYS[4] headers  KEYS[5] waking
-- KEYS[6] served  KEYS[7] idle  KEYS[8] hints
-- ARGV[1] id of the message  the others as in lib/put.lua
-- Returns {'ok', 1 if it was sent, else 0} or {RSMQ's error name}
--
-- include clock
if redis.call('HEXISTS', KEYS[3], ARGV[1]) == 0 then return { 'ok', 0 } end
-- Its length includes a result, for which the sender cannot answer.
ARGV[7] = '0'
local base_us = now_us
-- include put
redis.call('HDEL', KEYS[3], ARGV[1])
return { 'ok', 1 }

-- Give back what a lane holds and its child does not have in hand: a failover has lost the settle. The messages
-- run again.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] lane  ARGV[7] reason  ARGV[8] max crashes  ARGV[9…] ids that the child has in hand
-- Returns the reply of a claim that took nothing although more is due
--
-- include clock
-- include queue
-- include room
-- include drain
-- include abandon
if not queue_exists then return { 'queueNotFound' } end
-- Read it before the first write: a key of another type must fail here.
redis.call('ZCARD', KEYS[2])
local in_hand = {}
for i = 9, #ARGV do in_hand[ARGV[i]] = true end
abandon(ARGV[6], {}, ARGV[7], tonumber(ARGV[8]), in_hand)
return { 'ok', whole(now_ms), whole(now_ms), '0', '' }

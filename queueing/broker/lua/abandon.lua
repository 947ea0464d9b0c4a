-- Give back the messages of a child that has died or is leaving.
--
-- KEYS and ARGV[1…5] as in lib/keys.lua
-- ARGV[6] lane  ARGV[7] reason  ARGV[8] max crashes  ARGV[9…] ids that had started
-- Returns {'ok', how many messages were given back or are dead}, or the reply of lib/room.lua for wrong keys
--
-- include clock
-- include queue
-- include room
-- include drain
-- include abandon
local started = {}
for i = 9, #ARGV do started[ARGV[i]] = true end
return { 'ok', abandon(ARGV[6], started, ARGV[7], tonumber(ARGV[8])) }

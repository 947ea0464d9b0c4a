-- Give back what a child held that is dead or leaves.
--
-- KEYS and ARGV[1…4] as in lib/room.lua
-- ARGV[5] lane  ARGV[6] reason  ARGV[7] max crashes  ARGV[8…] ids that had started
-- Returns how many messages it held
--
-- include clock
-- include room
-- include abandon
local started = {}
for i = 8, #ARGV do started[ARGV[i]] = true end
return abandon(ARGV[5], started, ARGV[6], tonumber(ARGV[7]))

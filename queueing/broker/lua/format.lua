-- Read the format of the namespace's keys, and raise it to the one of this release first if that is asked for.
--
-- KEYS[1] format
-- ARGV[1] format of this release, '' to read only
-- Returns the format, 0 if none is noted or it cannot be read
local noted = redis.pcall('GET', KEYS[1])
local known = type(noted) == 'string' and tonumber(noted) or 0
local own = tonumber(ARGV[1])
if not own or own <= known then return known end
redis.call('SET', KEYS[1], own)
return own

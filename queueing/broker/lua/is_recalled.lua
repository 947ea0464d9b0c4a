-- Whether a batch, or one that it is part of, is cancelled.
--
-- KEYS[1] batches
-- ARGV[1] id
-- Returns 1 or 0
local batches = KEYS[1]
local now_ms = 0
-- include members
return recalled_ms(ARGV[1]) and 1 or 0

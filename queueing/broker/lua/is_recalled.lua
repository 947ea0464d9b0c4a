-- Whether a batch, or one that it is part of, is cancelled.
--
-- KEYS[1] batches
-- ARGV[1] id
-- Returns 1 or 0
local batches = KEYS[1]
local now_ms = 0
-- include members
local batch = ARGV[1]
for _ = 1, MAX_NESTING do
  if not batch then return 0 end
  if redis.call('HEXISTS', batches, batch .. ' recalled') == 1 then return 1 end
  batch = parent_of(batch)
end
return 0

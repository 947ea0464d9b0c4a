-- The keys and the first arguments of every script that moves or deletes messages of a queue:
--
-- KEYS[1…8] as in lib/queue.lua
-- KEYS[9] leases (zset)    KEYS[10] held (hash)    KEYS[11] outbox (stream)    KEYS[12] outbox stats (hash)
-- KEYS[13] progress (hash)    KEYS[14] metrics (hash)    KEYS[15] unrecorded (hash)    KEYS[16] waking (zset)
-- KEYS[17] served (hash)    KEYS[18] idle (zset)    KEYS[19] hints (zset)
-- KEYS[20] batches (hash)    KEYS[21] batch order (zset)    KEYS[22] failed members (zset)
-- KEYS[23] follow-ups (hash)    KEYS[24] unique (hash)
-- KEYS[25] slots (zset)    KEYS[26] rates (zset)    KEYS[27] line (zset)    KEYS[28] waits (zset)
-- ARGV[1…3] as in lib/dead_letters.lua    ARGV[4] the queue's channel    ARGV[5] bytes the outbox may hold
local waking, served, idle, hints = KEYS[16], KEYS[17], KEYS[18], KEYS[19]
local batches, batch_order, failed_members, follow_ups = KEYS[20], KEYS[21], KEYS[22], KEYS[23]
local slots, rates, line, waits = KEYS[25], KEYS[26], KEYS[27], KEYS[28]

-- Whether a message has come due in this call, and the keys of limits that have lost a slot (see lib/next.lua).
local has_come_due, freed_keys = false, {}

-- A write that changes nothing, which proves that Redis takes writes. KEYS[1] is never there.
redis.call('UNLINK', KEYS[1])

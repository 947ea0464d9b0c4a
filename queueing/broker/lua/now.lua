-- The server's clock.
--
-- KEYS[1] any key of the namespace
-- Returns the ms since 1970
--
-- include clock
return now_ms

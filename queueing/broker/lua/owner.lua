-- Read the owner of the outbox, or set it first if one is given.
--
-- KEYS[1] owner
-- ARGV[1] identity of the new owner, '' to read only
-- Returns the identity of the owner, '' for none
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1]) end
return redis.call('GET', KEYS[1]) or ''

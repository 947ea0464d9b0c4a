-- The owner of the outbox, made the given one before if one is given.
--
-- KEYS[1] owner
-- ARGV[1] identity of the new owner, '' to ask only
-- Returns the identity of the owner, '' where nobody owns it
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1]) end
return redis.call('GET', KEYS[1]) or ''

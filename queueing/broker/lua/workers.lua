-- The workers that have not left, including dead ones.
--
-- KEYS[1] workers  KEYS[2] quiet workers
-- Returns {now ms, then for each: name, "<ms of last heartbeat> <JSON>", token of the life that is asked to
-- be quiet or ''}
--
-- include clock
local reply = { whole(now_ms) }
local workers = redis.call('HGETALL', KEYS[1])
for i = 1, #workers, 2 do
  reply[#reply + 1] = workers[i]
  reply[#reply + 1] = workers[i + 1]
  reply[#reply + 1] = redis.call('HGET', KEYS[2], workers[i]) or ''
end
return reply

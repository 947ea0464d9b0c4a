-- A queue exists if and only if these three are there; other clients leave floats in them.
local attributes = redis.call('HMGET', KEYS[1], 'vt', 'delay', 'maxsize')
local queue_exists = attributes[1] and attributes[2] and attributes[3]

-- The keys of one queue and of its dead-letter queue, the same in every script that moves messages:
--
-- KEYS[1] attributes (hash)       KEYS[2] schedule (zset)       KEYS[3] ends (hash)
-- KEYS[4] headers (hash)          KEYS[5] dead attributes       KEYS[6] dead schedule
-- KEYS[7] dead headers            KEYS[8] QUEUES (set)
--
-- A queue exists if and only if the first three are there; other clients leave floats in them. The
-- others are ours; RSMQ ignores fields that it does not know.
-- include numbers
local attributes = redis.call('HMGET', KEYS[1], 'vt', 'delay', 'maxsize', 'paused', 'max_receive_count',
  'dead_letter_queue')
local queue_exists = attributes[1] and attributes[2] and attributes[3]

local is_paused = attributes[4]
local max_receive_count = stored_int(attributes[5])

-- Where the dead letters go that is not `named`, the name by which the keys were chosen.
local function other_dead_letter_queue(named, qname)
  local dead = string.match(attributes[6] or '', '^[%w_-]+$')
  if not dead or #dead > 160 or dead == qname or dead == 'QUEUES' then dead = qname .. '-dead' end
  return dead ~= named and dead
end

-- The keys of one queue and of its dead-letter queue, the same in every script that moves messages:
--
-- KEYS[1] attributes (hash)       KEYS[2] schedule (zset)       KEYS[3] ends (hash)
-- KEYS[4] headers (hash)          KEYS[5] dead attributes       KEYS[6] dead schedule
-- KEYS[7] dead headers            KEYS[8] QUEUES (set)
--
-- The ends of a message count its settled deliveries: "failed crashed released", then the ms of its last
-- claim, then how many of the crashes were the end of a whole worker, then how many of the releases are
-- receives in the queues from which it was moved, then its receive count when nobody held it, if earlier receivers let it
-- time out.
--
-- A queue exists if and only if it has the first three attributes; other clients write floats into them. RSMQ
-- ignores the others.
-- include numbers
local attributes = redis.call('HMGET', KEYS[1], 'vt', 'delay', 'maxsize', 'paused', 'max_receive_count',
  'dead_letter_queue')
local queue_exists = attributes[1] and attributes[2] and attributes[3]

local is_paused = attributes[4]
local max_receive_count = stored_int(attributes[5])

-- The name of the dead-letter queue if it is not `named`, the name by which the caller chose the keys.
local function other_dead_letter_queue(named, qname)
  local dead = string.match(attributes[6] or '', '^[%w_-]+$')
  if not dead or #dead > 160 or dead == qname or dead == 'QUEUES' then dead = qname .. '-dead' end
  return dead ~= named and dead
end

-- Start the messages that followed in this call, and wake a child for them. KEYS and ARGV[1…4] as in lib/keys.lua
local function start_next()
  if next(freed_keys) then
    -- include limits
    advance_freed()
  end
  if not has_come_due then return end
  -- include head
  -- include idle
  has_come_due = false
  announce(ARGV[4])
  rouse(ARGV[1], 1)
end

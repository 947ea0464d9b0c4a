-- Find the commands that Redis refuses to the user of this connection. Redis 6.2 cannot answer this.
--
-- KEYS[1] any key of the namespace
-- ARGV[1] a channel  ARGV[2…] names of commands
-- Returns the names of those that are refused or unknown
local may, refused = redis.acl_check_cmd, {}
for i = 2, may and #ARGV or 1 do
  local name = ARGV[i] == 'PUBLISH' and ARGV[1] or KEYS[1]
  local is_known, is_permitted = pcall(may, ARGV[i], name, name)
  if not (is_known and is_permitted) then refused[#refused + 1] = ARGV[i] end
end
return refused

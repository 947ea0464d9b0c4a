-- Parse a stored lane (see lib/room.lua). A value of another program gives an empty lane.
local function is_count(value)
  return type(value) == 'number' and value >= 0 and value <= 9007199254740991 and value == math.floor(value)
end

-- Whether a table is {id, rc, …}.
local function are_receipts(held)
  if type(held) ~= 'table' or #held % 2 ~= 0 then return false end
  for i = 1, #held, 2 do
    if type(held[i]) ~= 'string' or not is_count(held[i + 1]) then return false end
  end
  return true
end

local function lane_in(text)
  local is_json, lane = pcall(cjson.decode, text or '')
  local is_lane = is_json and type(lane) == 'table' and are_receipts(lane.held) and type(lane.refused) == 'table'
    and is_count(lane.claim) and is_count(lane.settle) and is_count(lane.taken)
  if not is_lane then return { claim = 0, settle = 0, taken = 0, refused = {}, held = {} } end
  if type(lane.stops) ~= 'table' then lane.stops = nil end
  if type(lane.slots) ~= 'table' then lane.slots = nil end
  if not are_receipts(lane.lost) then lane.lost = nil end
  return lane
end

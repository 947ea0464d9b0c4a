-- Count the members of batches among messages that left their queue as cancelled. `found` is {id, headers, …}.
-- include members
local function count_lost(found)
  local lost = {}
  for i = 1, #found, 2 do
    local batch = batch_in(found[i + 1])
    if batch then
      lost[batch] = lost[batch] or {}
      table.insert(lost[batch], found[i])
    end
  end
  for batch, members in pairs(lost) do count_members(batch, members, 'cancelled') end
end

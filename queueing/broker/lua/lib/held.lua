-- Whether a receiver may still hold a message: it was received `rc` times, and not all of these deliveries have ended.
-- `ends` is the text of its ends.
local function may_be_held(rc, ends)
  local failed, crashed, released, rest = string.match(ends or '', '^(%d+) (%d+) (%d+)(.*)$')
  local unheld = string.match(rest or '', '^ %d+ %d+ %d+ (%d+)$')
  return rc > receive_count(failed) + receive_count(crashed) + receive_count(released) and rc ~= receive_count(unheld)
end

-- Puts compacted logs of counts in place of the parts that they sum up. KEYS: meta, never (name the slot).
-- ARGV: key, the log as it was read, what takes its place; and so on. A log that does not begin with what was read any more is
-- left alone; what was appended since stays. Answers how many were replaced.
local n = 0
for i = 1, #ARGV, 3 do
  local log = redis.call('GET', ARGV[i])
  local old = ARGV[i + 1]
  if log and string.sub(log, 1, #old) == old then
    redis.call('SET', ARGV[i], ARGV[i + 2] .. string.sub(log, #old + 1))
    n = n + 1
  end
end
return n

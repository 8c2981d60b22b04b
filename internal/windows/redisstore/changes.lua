-- Reads the change feed. KEYS: meta, feed. ARGV: how many entries the reader has seen, tag of the last of them ("" = none), how
-- many entries it takes at most, how many bytes.
-- Answers {"gap"} when the feed does not go on where the reader is: entries are gone, or Redis came back with older data. Else
-- {"ok", entries ever, entry, ...}.
local seq = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
local first = seq - redis.call('LLEN', KEYS[2])
local from = tonumber(ARGV[1])
if from < first or from > seq then return {'gap'} end
if from > 0 then
  local last = redis.call('LINDEX', KEYS[2], from - first - 1)
  if from == first or not last or string.sub(last, 1, 8) ~= ARGV[2] then return {'gap'} end
end
local answer = {'ok', string.format('%.0f', seq)}
local bytes = 0
for i = from - first, math.min(seq - first, from - first + tonumber(ARGV[3])) - 1 do
  local entry = redis.call('LINDEX', KEYS[2], i)
  if not entry then break end
  answer[#answer + 1] = entry
  bytes = bytes + #entry
  if bytes >= tonumber(ARGV[4]) then break end
end
return answer

-- Reads the log of records. KEYS: meta, log. ARGV: number of the first record wanted, how many.
-- Answers {records ever logged, number of the first one given, records}: numbers that are not kept are passed over.
local logged = tonumber(redis.call('HGET', KEYS[1], 'logged') or '0')
local first = logged - redis.call('LLEN', KEYS[2])
local from = math.max(math.min(tonumber(ARGV[1]), logged), first)
local list = {}
if tonumber(ARGV[2]) > 0 then
  list = redis.call('LRANGE', KEYS[2], from - first, from - first + tonumber(ARGV[2]) - 1)
end
return {logged, from, list}

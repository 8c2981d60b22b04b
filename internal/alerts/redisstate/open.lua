-- Writes down, once, how the alert state is laid out. KEYS: layout. ARGV: schema, evaluation partitions.
-- Answers {schema, partitions} as they are.
local have = redis.call('HMGET', KEYS[1], 'schema', 'partitions')
if not have[1] then
  redis.call('HSET', KEYS[1], 'schema', ARGV[1], 'partitions', ARGV[2])
  return {ARGV[1], ARGV[2]}
end
return {have[1], have[2] or ''}

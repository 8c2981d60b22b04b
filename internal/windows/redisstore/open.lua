-- Writes down, once, what the whole state is made of. KEYS: meta of shard 0. ARGV: schema, shards, key's id, key to keep ("" =
-- it is kept elsewhere), "1" = take the key in place of another one.
-- Answers {schema, shards, key's id, kept key} as they are now.
local have = redis.call('HMGET', KEYS[1], 'schema', 'shards', 'keyid', 'key')
if not have[1] then
  redis.call('HSET', KEYS[1], 'schema', ARGV[1], 'shards', ARGV[2], 'keyid', ARGV[3], 'key', ARGV[4])
elseif ARGV[5] == '1' and have[1] == ARGV[1] and have[2] == ARGV[2] and have[3] ~= ARGV[3] then
  redis.call('HSET', KEYS[1], 'keyid', ARGV[3], 'key', ARGV[4])
end
return redis.call('HMGET', KEYS[1], 'schema', 'shards', 'keyid', 'key')

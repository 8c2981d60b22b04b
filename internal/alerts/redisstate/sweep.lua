-- Forgets episodes that ended long ago.
-- KEYS: ended, resolved, all, then for each episode: its records, subject index.
-- ARGV: for each episode: member of ended, index member. Answers how many were forgotten.
local n = 0
for i = 1, #ARGV / 2 do
  if redis.call('ZREM', KEYS[1], ARGV[2 * i - 1]) == 1 then
    redis.call('ZREM', KEYS[2], ARGV[2 * i])
    redis.call('ZREM', KEYS[3], ARGV[2 * i])
    redis.call('DEL', KEYS[2 * i + 2])
    redis.call('ZREM', KEYS[2 * i + 3], ARGV[2 * i])
    n = n + 1
  end
end
return n

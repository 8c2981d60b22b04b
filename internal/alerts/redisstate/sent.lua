-- Removes from the head of the outbox what has been published, as long as it is what the caller saw there.
-- KEYS: lease, outbox. ARGV: lease, tokens in order. Answers how many were removed, or -1 when the lease is lost.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return -1
end
local head = redis.call('LRANGE', KEYS[2], 0, #ARGV - 2)
local n = 0
while n < #head and string.sub(head[n + 1], 1, #ARGV[n + 2] + 1) == ARGV[n + 2] .. ' ' do
  n = n + 1
end
if n > 0 then
  redis.call('LTRIM', KEYS[2], n, -1)
end
return n

-- Gives the lease to whoever asks while nobody has it.
-- KEYS: lease, meta. ARGV: owner, milliseconds.
-- Answers {token} or {0, who has it}.
local have = redis.call('GET', KEYS[1])
if have then
  return {0, have}
end
local token = redis.call('HINCRBY', KEYS[2], 'fence', 1)
redis.call('SET', KEYS[1], ARGV[1] .. '/' .. token, 'PX', ARGV[2])
return {token, ''}

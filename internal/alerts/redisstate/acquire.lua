-- Gives the lease to whoever asks while nobody has it. A process that finds an older lease of its own, as when Redis came back
-- with older data, need not wait for that.
-- KEYS: lease, meta. ARGV: owner, milliseconds.
-- Answers {token} or {0, who has it}.
local have = redis.call('GET', KEYS[1])
if have and string.sub(have, 1, #ARGV[1] + 1) ~= ARGV[1] .. '/' then
  return {0, have}
end
local token = redis.call('HINCRBY', KEYS[2], 'fence', 1)
redis.call('SET', KEYS[1], ARGV[1] .. '/' .. token, 'PX', ARGV[2])
return {token, ''}

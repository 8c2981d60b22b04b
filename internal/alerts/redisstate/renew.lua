-- Prolongs a lease, or gives it back when the time is 0.
-- KEYS: lease. ARGV: the lease, milliseconds. Answers 1, or 0 when it is not ours.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1

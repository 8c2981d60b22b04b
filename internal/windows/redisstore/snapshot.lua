-- Reads logs of counts and the place in the change feed that they stand at, in one instant. KEYS: meta, feed, never. ARGV: keys.
-- Answers {number of feed entries ever, tag of the newest or false, log or false, ...}.
local newest = redis.call('LINDEX', KEYS[2], -1)
local answer = {redis.call('HGET', KEYS[1], 'seq') or '0', newest and string.sub(newest, 1, 8)}
for i = 1, #ARGV do answer[i + 2] = redis.call('GET', ARGV[i]) end
return answer

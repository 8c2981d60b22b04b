-- Takes one step: statuses, history, indexes, log and outbox together, or nothing.
-- KEYS: lease, meta, statuses, outbox, log, firing, resolved, all, ended, then for each record: episode, subject index.
-- ARGV: lease, id of the step before, id of this step, evaluated, records kept of an episode, of the log,
--       number of meta fields, field, value ..., number of statuses, key, text ... (text '' = remove),
--       number of records, for each: token, encoded, index member, 'firing' or 'resolved', seconds of its end, ended member,
--       '1' when it is to be published.
-- Answers {new version}, or {-1} when the lease is lost, or {-2, version} when the step before is another one.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return {-1}
end
local have = redis.call('HMGET', KEYS[2], 'version', 'step')
local version = tonumber(have[1] or '0')
if have[2] == ARGV[3] then
  return {version} -- this very step, its answer was lost
end
if (have[2] or '') ~= ARGV[2] then
  return {-2, version}
end

local types = {'', 'hash', 'hash', 'list', 'list', 'zset', 'zset', 'zset', 'zset'}
for i = 3, #KEYS do
  local want = types[i] or (i % 2 == 0 and 'list' or 'zset')
  local found = redis.call('TYPE', KEYS[i])
  found = found.ok or found
  if found ~= 'none' and found ~= want then
    return {-3, KEYS[i] .. ': a ' .. found .. ' where a ' .. want .. ' was expected'}
  end
end

-- From here on nothing can fail.
local at = 7
redis.call('HSET', KEYS[2], 'version', version + 1, 'step', ARGV[3], 'evaluated', ARGV[4])
for _ = 1, tonumber(ARGV[at]) do
  redis.call('HSET', KEYS[2], ARGV[at + 1], ARGV[at + 2])
  at = at + 2
end
at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  if ARGV[at + 2] == '' then
    redis.call('HDEL', KEYS[3], ARGV[at + 1])
  else
    redis.call('HSET', KEYS[3], ARGV[at + 1], ARGV[at + 2])
  end
  at = at + 2
end
at = at + 1
local n = tonumber(ARGV[at])
for i = 1, n do
  local token, encoded, member, status = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local episode, subject = KEYS[8 + 2 * i], KEYS[9 + 2 * i]
  if redis.call('RPUSH', episode, encoded) > tonumber(ARGV[5]) then -- the first and the newest stay
    redis.call('LSET', episode, 1, '')
    redis.call('LREM', episode, 1, '')
  end
  local entry = token .. ' ' .. encoded
  redis.call('RPUSH', KEYS[5], entry)
  redis.call('ZADD', KEYS[8], 0, member)
  redis.call('ZADD', subject, 0, member)
  if status == 'firing' then
    redis.call('ZADD', KEYS[6], 0, member)
  else
    redis.call('ZREM', KEYS[6], member)
    redis.call('ZADD', KEYS[7], 0, member)
    redis.call('ZADD', KEYS[9], ARGV[at + 5], ARGV[at + 6])
  end
  if ARGV[at + 7] == '1' then
    redis.call('RPUSH', KEYS[4], entry)
  end
  at = at + 7
end
if n > 0 then
  redis.call('HINCRBY', KEYS[2], 'logged', n)
  redis.call('LTRIM', KEYS[5], -tonumber(ARGV[6]), -1)
end
return {version + 1}

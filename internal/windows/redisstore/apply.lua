-- Adds what one fold holds to one home shard and moves its positions: all of it, or nothing.
-- Lua has no rollback. So everything is checked first, and what is written then cannot fail.
--
-- KEYS  1 meta (names the shard's slot; all other keys are made from ARGV[1] and lie in the same slot)  2 one that never exists
-- ARGV  1 base of the shard's keys          2 tag of this step (8 bytes that no other has)
--       3 "=" and the version of the packed buckets that the writes go by; "" when they depend on none
--       4 the turn that the sender had, "" = none  5 newest counted event, seconds
--       6 packed buckets to write           7 parts of packed buckets to write then
--       8 recipients added                  9 fingerprints added, less those dropped
--      10 moves of cohorts                 11, 12, 13 counts by minute, hour and day
--      14 subjects to list                 15 tally                16 cap of the feed, bytes
--      17.. positions: field, value that must stand there, new value
-- Numbers in packed arguments are big-endian. How each is laid out stands where it is read.
--
-- Answers {what, ...}:
--   "position", field, value, ...            nothing done: these positions are not where they should be
--   "turn"                                   nothing done: it is somebody else's turn
--   "changed"                                nothing done: somebody has written to packed buckets since they were read
--   "done", rn, dn, seq, key, ...            done: recipients, fingerprints and entries of the feed ever; keys of counts whose log has become
--                                            long enough to be compacted

local call, byte, sub, floor = redis.call, string.byte, string.sub, math.floor
local base = ARGV[1]
local meta = KEYS[1]

local wrong = {'position'}
for i = 17, #ARGV, 3 do
  local have = call('HGET', base .. 'pos', ARGV[i]) or ''
  if have ~= ARGV[i + 1] then
    wrong[#wrong + 1] = ARGV[i]
    wrong[#wrong + 1] = have
  end
end
if #wrong > 1 then return wrong end
local m = call('HMGET', meta, 'ver', 'newest')
if ARGV[3] ~= '' then
  -- Who has had a turn is let through though it be over: what it goes by is the version, and somebody has to get through.
  if ARGV[4] == '' and call('EXISTS', base .. 'turn') == 1 then return {'turn'} end
  if ARGV[3] ~= '=' .. (m[1] or '') then return {'changed'} end
end
local newer = tonumber(ARGV[5]) > tonumber(m[2] or '0')

-- Writes to packed buckets. Argument: length of key (1), of offset (1), of value (3), key without base, offset in digits, value. Without
-- an offset the value is the whole string; an empty one is removed.
local wk, wo, wv, nw = {}, {}, {}, 0
for arg = 6, 7 do
  local a, i, n = ARGV[arg], 1, #ARGV[arg]
  while i < n do
    local lk, lo, v1, v2, v3 = byte(a, i, i + 4)
    local from = i + 5
    local value = from + lk + lo
    i = value + (v1 * 256 + v2) * 256 + v3
    nw = nw + 1
    local key = base .. sub(a, from, from + lk - 1)
    wk[nw] = key
    if lo > 0 then wo[nw] = sub(a, from + lk, value - 1) else call('STRLEN', key) end -- fails when it is no string
    wv[nw] = sub(a, value, i - 1)
  end
end

-- Counts. Argument: length of key (2), of increments (4), key, increments. An increment is place in the chunk (1), counter (1), and
-- how many: 7 bits a byte, lowest first, the top bit set on all but the last.
local logk, logv, nlog = {}, {}, 0
for arg = 11, 13 do
  local a, i, n = ARGV[arg], 1, #ARGV[arg]
  while i < n do
    local k1, k2, l1, l2, l3, l4 = byte(a, i, i + 5)
    local log = i + 6 + k1 * 256 + k2
    nlog = nlog + 1
    local key = sub(a, i + 6, log - 1)
    call('STRLEN', key)
    logk[nlog] = key
    i = log + ((l1 * 256 + l2) * 256 + l3) * 256 + l4
    logv[nlog] = sub(a, log, i - 1)
  end
end

-- Moves of cohorts. Argument: length of key (2), of field (1), of number (1), key without base, field, number in digits.
local cok, cof, con, nco = {}, {}, {}, 0
do
  local a, i, n = ARGV[10], 1, #ARGV[10]
  local seen = {}
  while i < n do
    local k1, k2, lf, ln = byte(a, i, i + 3)
    local field = i + 4 + k1 * 256 + k2
    local key = base .. sub(a, i + 4, field - 1)
    if not seen[key] then
      seen[key] = true
      call('HLEN', key)
    end
    i = field + lf + ln
    nco = nco + 1
    cok[nco], cof[nco], con[nco] = key, sub(a, field, field + lf - 1), sub(a, field + lf, i - 1)
  end
end

-- Types of what is left.
call('HLEN', base .. 'tally')
call('LLEN', base .. 'feed')
-- Subjects to list: length of combination (2), of subject (2), day (4), combination, subject.
local subk, subd, subs, nsub = {}, {}, {}, 0
do
  local a, i = ARGV[14], 1
  local seen = {}
  while i < #a do
    local c1, c2, s1, s2, d1, d2, d3, d4 = byte(a, i, i + 7)
    local lc, ls = c1 * 256 + c2, s1 * 256 + s2
    local key = base .. 'subj:' .. sub(a, i + 8, i + 7 + lc)
    if not seen[key] then
      seen[key] = true
      call('ZCARD', key)
    end
    nsub = nsub + 1
    subk[nsub], subd[nsub], subs[nsub] = key, ((d1 * 256 + d2) * 256 + d3) * 256 + d4, sub(a, i + 8 + lc, i + 7 + lc + ls)
    i = i + 8 + lc + ls
  end
end

-- From here on only writes that cannot fail.
for i = 1, nw do
  if wo[i] then
    call('SETRANGE', wk[i], wo[i], wv[i])
  elseif wv[i] ~= '' then
    call('SET', wk[i], wv[i])
  else
    call('DEL', wk[i])
  end
end
local answer = {'done', 0, 0, 0}
local na = 4
for i = 1, nlog do
  local log = logv[i]
  local now = call('APPEND', logk[i], log)
  -- Long enough to be worth compacting when it has passed another kilobyte.
  if now >= 1024 and floor(now / 1024) ~= floor((now - #log) / 1024) then
    na = na + 1
    answer[na] = logk[i]
  end
end
for i = 1, nco do
  if call('HINCRBY', cok[i], cof[i], con[i]) == 0 then call('HDEL', cok[i], cof[i]) end
end
for i = 1, nsub do
  local have = call('ZSCORE', subk[i], subs[i])
  if not have or tonumber(have) < subd[i] then call('ZADD', subk[i], subd[i], subs[i]) end
end
-- Tally: length of name (2), name, number (8, below 2^53).
do
  local a, i = ARGV[15], 1
  while i < #a do
    local l1, l2 = byte(a, i, i + 1)
    local l, n = l1 * 256 + l2, 0
    for j = i + 2 + l, i + 9 + l do n = n * 256 + byte(a, j) end
    call('HINCRBY', base .. 'tally', sub(a, i + 2, i + 1 + l), string.format('%.0f', n))
    i = i + 10 + l
  end
end
local seq = tonumber(call('HGET', meta, 'seq') or '0')
if #ARGV[11] > 0 then
  local feed = ARGV[2] .. ARGV[11]
  call('RPUSH', base .. 'feed', feed)
  seq = call('HINCRBY', meta, 'seq', 1)
  local bytes = call('HINCRBY', meta, 'feedbytes', #feed)
  local cap = tonumber(ARGV[16])
  -- The newest stays: by its tag a reader knows that the feed is still the one that it has read.
  while bytes > cap and call('LLEN', base .. 'feed') > 1 do
    local gone = call('LPOP', base .. 'feed')
    bytes = call('HINCRBY', meta, 'feedbytes', -#gone)
  end
end
for i = 17, #ARGV, 3 do call('HSET', base .. 'pos', ARGV[i], ARGV[i + 2]) end
if newer then call('HSET', meta, 'newest', ARGV[5]) end
if nw > 0 then call('HSET', meta, 'ver', ARGV[2]) end
answer[2] = call('HINCRBY', meta, 'rn', ARGV[8])
answer[3] = call('HINCRBY', meta, 'dn', ARGV[9])
answer[4] = seq
return answer

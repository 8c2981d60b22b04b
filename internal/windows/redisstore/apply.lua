-- Adds what one fold holds to one home shard and moves its positions: all of it, or nothing.
-- Lua has no rollback. So everything is read and checked first, and what is written then cannot fail.
--
-- KEYS  1 meta (names the shard's slot; all other keys are made from ARGV[1] and lie in the same slot)  2 one that never exists
-- ARGV  1 base of the shard's keys          2 layout: "rbits rsplit dbits dsplit", as the sender knows it
--       3 newest counted event, seconds     4 dedupe horizon, seconds
--       5 fingerprints    6 recipients      7 bounds of days    8 tenants    9 delivery groups
--      10 counts by minute                 11 counts by hour and day
--      12 subjects to list                 13 tally            14 cap of the feed, bytes
--      15 tag of the feed's entry (8 bytes that no other has)
--      16.. positions: field, value that must stand there, new value
-- Numbers in packed arguments are big-endian. How each is laid out stands where it is read.
--
-- Answers {what, ...}:
--   "layout", rbits, rsplit, dbits, dsplit   nothing done: buckets are laid out otherwise, encode again
--   "position", field, value, ...            nothing done: these positions are not where they should be
--   "repeats", index, ...                    nothing done: these fingerprints are in the state already (0 is the first)
--   "done", rn, dn, newest, seq, key, ...    done; keys of counts whose log has become long enough to be compacted

local call, byte, sub, find, char, floor = redis.call, string.byte, string.sub, string.find, string.char, math.floor
local base = ARGV[1]
local meta = KEYS[1]

-- What is where.
local m = call('HMGET', meta, 'rb', 'rs', 'db', 'ds', 'newest')
local layout = (m[1] or '0') .. ' ' .. (m[2] or '0') .. ' ' .. (m[3] or '0') .. ' ' .. (m[4] or '0')
if layout ~= ARGV[2] then
  return {'layout', m[1] or '0', m[2] or '0', m[3] or '0', m[4] or '0'}
end
local wrong = {'position'}
for i = 16, #ARGV, 3 do
  local have = call('HGET', base .. 'pos', ARGV[i]) or ''
  if have ~= ARGV[i + 1] then
    wrong[#wrong + 1] = ARGV[i]
    wrong[#wrong + 1] = have
  end
end
if #wrong > 1 then return wrong end

local before = tonumber(m[5] or '0') -- the newest time when these events were read
local newest = before
if tonumber(ARGV[3]) > newest then newest = tonumber(ARGV[3]) end

-- Writes that wait until everything is checked: whole strings, and places in strings.
local setk, setv, nset = {}, {}, 0
local patk, pato, patv, npat = {}, {}, {}, 0

-- Packed buckets are filled up with zeros to a size that the allocator (jemalloc) gives anyway, so that most entries are added in
-- place: a whole new string costs Lua its hash, byte by byte. Answers the zeros that a string of n bytes needs.
local zeros = string.rep('\0', 32)
local function padding(n)
  local need = n + 6 -- the string's own header
  local step = 16
  while need > 8 * step do step = step * 2 end
  local more = (step - need % step) % step
  while #zeros < more do zeros = zeros .. zeros end
  return sub(zeros, 1, more)
end
-- Where the first free entry of s is: the first place from `from` on, in steps of width, with nothing but zeros.
local function free(s, nothing, from, width)
  local p = find(s, nothing, from, true)
  while p and (p - from) % width ~= 0 do p = find(s, nothing, p + 1, true) end
  return p or #s + 1 - (#s + 1 - from) % width
end

-- Repeats. A bucket is a string: when its oldest and its newest fingerprints came (2 bytes each), then the fingerprints, 8 bytes
-- each, in the order in which they came. Times are slices of 4 hours of the newest event time, 1 to 65535 and around. Where a
-- slice ends stand 6 zeros and the next slice. What came beyond the horizon is dropped on the way; the horizon is that of the
-- time before this batch, because what comes late in a batch must not make a repeat older that comes early in it.
-- Argument: bucket (4), how many are new if unknown (2), how many are only looked up (2), fingerprints.
local dn = 0
do
  local a, i, n = ARGV[5], 1, #ARGV[5]
  local index, repeats = 0, {'repeats'}
  local slice = floor(newest / 14400)
  local age = slice - floor((before - tonumber(ARGV[4])) / 14400)
  slice = slice % 65535 + 1
  local slice1, slice2 = floor(slice / 256), slice % 256
  local nothing, mark = string.rep('\0', 8), string.rep('\0', 6)
  while i < n do
    local b1, b2, b3, b4, n1, n2, c1, c2 = byte(a, i, i + 7)
    local store, check = n1 * 256 + n2, c1 * 256 + c2
    local key = base .. 'dd:' .. (((b1 * 256 + b2) * 256 + b3) * 256 + b4)
    i = i + 8
    local s = call('GET', key)
    if s then
      for j = i, i + 8 * (store + check) - 1, 8 do
        local print = sub(a, j, j + 7)
        local p = find(s, print, 5, true)
        while p and (p - 5) % 8 ~= 0 do p = find(s, print, p + 1, true) end
        if p then repeats[#repeats + 1] = index + (j - i) / 8 end
      end
      local o1, o2, w1, w2 = byte(s, 1, 4)
      local from, dropped = 5, 0
      while store > 0 and from and (slice - o1 * 256 - o2) % 65535 > age do
        local p = find(s, mark, from, true)
        while p and (p - 5) % 8 ~= 0 do p = find(s, mark, p + 1, true) end
        if p and p + 7 <= #s then o1, o2 = byte(s, p + 6, p + 7) else o1, o2 = 0, 0 end
        if o1 + o2 > 0 then
          dropped = dropped + (p - from) / 8
          from = p + 8
        else
          dropped = dropped + ((p or #s + 1) - from) / 8
          from = nil
        end
      end
      if store > 0 then
        local piece = sub(a, i, i + 8 * store - 1)
        if from then
          if w1 ~= slice1 or w2 ~= slice2 then piece = mark .. char(slice1, slice2) .. piece end
          local stop = free(s, nothing, 5, 8)
          if from == 5 and stop + #piece <= #s + 1 then
            npat = npat + 1
            patk[npat], pato[npat], patv[npat] = key, stop - 1, piece
            if w1 ~= slice1 or w2 ~= slice2 then
              npat = npat + 1
              patk[npat], pato[npat], patv[npat] = key, 2, char(slice1, slice2)
            end
          else
            local whole = char(o1, o2, slice1, slice2) .. sub(s, from, stop - 1) .. piece
            nset = nset + 1
            setk[nset], setv[nset] = key, whole .. padding(#whole)
          end
        else
          nset = nset + 1
          setk[nset], setv[nset] = key, char(slice1, slice2, slice1, slice2) .. piece .. padding(4 + #piece)
        end
        dn = dn - dropped
      end
    elseif store > 0 then
      nset = nset + 1
      setk[nset] = key
      setv[nset] = char(slice1, slice2, slice1, slice2) .. sub(a, i, i + 8 * store - 1) .. padding(4 + 8 * store)
    end
    dn = dn + store
    i = i + 8 * (store + check)
    index = index + store + check
  end
  if #repeats > 1 then return repeats end
end

-- Recipients. A bucket is a string of entries of 13 bytes, free ones (all zero) last: who (7), first, newest and newest
-- interaction day (2 each, days since 1999-12-31, 0 = never). The top bits of the three tell that there is an unsubscribe, complaint, opt-in in xu, xc, xo:
-- strings of entries of 15 bytes, who (7) and time (8). xh, hard bounces, has no bit.
-- Argument: bucket (4), recipients (2); for each: who (7), tenant (2), steps (2); for each step: what (1), day (2), and
-- for a delivery (3) group (3) and the time before which an unsubscribe should have been honoured (8), for 4 to 7 the time (8).
local co = {}       -- cohort moves, by tenant, kind and day in one number
local groups = {}   -- deliveries of each group by state: engaged + 2^17 new + 2^34 unengaged
local overdue = {}  -- deliveries of each group that should not have been
local rn = 0
do
  local a, i, n = ARGV[6], 1, #ARGV[6]
  local bound, k = ARGV[7], 1
  -- Bounds: day (2), engaged from, new from, forgotten before, remembered until (2 each).
  local engaged, new, forgotten, remembers = {}, {}, {}, {}
  while k < #bound do
    local d1, d2, e1, e2, w1, w2, f1, f2, r1, r2 = byte(bound, k, k + 9)
    local day = d1 * 256 + d2
    engaged[-day], new[-day], forgotten[-day], remembers[-day] = e1 * 256 + e2, w1 * 256 + w2, f1 * 256 + f2, r1 * 256 + r2
    k = k + 10
  end
  local suffix = {[4] = 'xu:', [5] = 'xc:', [6] = 'xh:', [7] = 'xo:'}
  local nobody = string.rep('\0', 13)
  local bucket, key, s
  local extra, dirty -- of this bucket: strings of what[4..7] as they are to be, and which have changed

  local function load(what)
    local x = extra[what]
    if not x then
      x = call('GET', base .. suffix[what] .. bucket) or ''
      extra[what] = x
    end
    return x
  end
  local function place(x, who)
    local p = find(x, who, 1, true)
    while p and (p - 1) % 15 ~= 0 do p = find(x, who, p + 1, true) end
    return p
  end
  -- The time kept for a recipient, as two numbers; 0 0 = never.
  local function since(what, who)
    local x = load(what)
    local p = place(x, who)
    if not p then return 0, 0 end
    local h1, h2, h3, h4, l1, l2, l3, l4 = byte(x, p + 7, p + 14)
    return ((h1 * 256 + h2) * 256 + h3) * 256 + h4, ((l1 * 256 + l2) * 256 + l3) * 256 + l4
  end
  -- Keeps the newest of the time that is there and the one that is given.
  local function keep(what, who, time)
    local x = load(what)
    local p = place(x, who)
    if not p then
      extra[what] = x .. who .. time
      dirty[what] = true
      return
    end
    local hi, lo = since(what, who)
    local h1, h2, h3, h4, l1, l2, l3, l4 = byte(time, 1, 8)
    local nh, nl = ((h1 * 256 + h2) * 256 + h3) * 256 + h4, ((l1 * 256 + l2) * 256 + l3) * 256 + l4
    if nh > hi or nh == hi and nl > lo then
      extra[what] = sub(x, 1, p + 6) .. time .. sub(x, p + 15)
      dirty[what] = true
    end
  end
  local function drop(what, who)
    local x = load(what)
    local p = place(x, who)
    if p then
      extra[what] = sub(x, 1, p - 1) .. sub(x, p + 15)
      dirty[what] = true
    end
  end

  while i < n do
    local b1, b2, b3, b4, c1, c2 = byte(a, i, i + 5)
    bucket = ((b1 * 256 + b2) * 256 + b3) * 256 + b4
    key = base .. 'r:' .. bucket
    s = call('GET', key)
    extra, dirty = {}, {}
    i = i + 6
    local added, nadded = {}, 0
    for _ = 1, c1 * 256 + c2 do
      local who = sub(a, i, i + 6)
      local t1, t2, q1, q2 = byte(a, i + 7, i + 10)
      i = i + 11
      local p, first, last, acted, u, c, o
      if s then
        p = find(s, who, 1, true)
        while p and (p - 1) % 13 ~= 0 do p = find(s, who, p + 1, true) end
      end
      local f1, f2, s1, s2, a1, a2
      if p then
        f1, f2, s1, s2, a1, a2 = byte(s, p + 7, p + 12)
        u, c, o = f1 >= 128, s1 >= 128, a1 >= 128
        if u then f1 = f1 - 128 end
        if c then s1 = s1 - 128 end
        if o then a1 = a1 - 128 end
        first, last, acted = f1 * 256 + f2, s1 * 256 + s2, a1 * 256 + a2
      end
      local first0, last0, acted0, u0, c0, o0 = first, last, acted, u, c, o
      for _ = 1, q1 * 256 + q2 do
        local what, d1, d2 = byte(a, i, i + 2)
        local day = d1 * 256 + d2
        local takes = true
        if not first or last < forgotten[-day] then
          -- A stranger, or somebody who was forgotten: what was known of them goes.
          if first then
            if u then drop(4, who) end
            if c then drop(5, who) end
            if o then drop(7, who) end
            drop(6, who)
            u, c, o = false, false, false
          end
          first, last, acted = day, day, 0
        elseif first > remembers[-day] then
          takes = false -- by the time the record began, this had been forgotten
        else
          if day < first then first = day end
          if day > last then last = day end
        end
        if what == 3 then
          local g1, g2, g3 = byte(a, i + 3, i + 5)
          local g = (g1 * 256 + g2) * 256 + g3
          if last >= engaged[-day] then
            local one = 17179869184
            if acted >= engaged[-day] then one = 1 elseif first >= new[-day] then one = 131072 end
            groups[g] = (groups[g] or 0) + one
          end
          if u or c then
            local h1, h2, h3, h4, l1, l2, l3, l4 = byte(a, i + 6, i + 13)
            local hi, lo = ((h1 * 256 + h2) * 256 + h3) * 256 + h4, ((l1 * 256 + l2) * 256 + l3) * 256 + l4
            local oh, ol = 0, 0
            if o then oh, ol = since(7, who) end
            local late = false
            for w = 4, 5 do
              if w == 4 and u or w == 5 and c then
                local xh, xl = since(w, who)
                -- No opt-in after it, and it came before the delivery by more than it may take.
                if (oh < xh or oh == xh and ol <= xl) and (xh < hi or xh == hi and xl < lo) then late = true end
              end
            end
            if late then overdue[g] = (overdue[g] or 0) + 1 end
          end
          i = i + 14
        elseif what == 1 then
          i = i + 3
        elseif what == 2 then
          if takes and day > acted then acted = day end
          i = i + 3
        else
          if takes then
            keep(what, who, sub(a, i + 3, i + 10))
            if what == 4 then u = true elseif what == 5 then c = true elseif what == 7 then
              o = true
              if day > acted then acted = day end
            end
          end
          i = i + 11
        end
      end
      if first ~= first0 or last ~= last0 or acted ~= acted0 then
        local t = (t1 * 256 + t2) * 196608
        if first0 then
          co[-t - last0] = (co[-t - last0] or 0) - 1
          local x = acted0 > 0 and -t - 65536 - acted0 or -t - 131072 - first0
          co[x] = (co[x] or 0) - 1
        end
        co[-t - last] = (co[-t - last] or 0) + 1
        local x = acted > 0 and -t - 65536 - acted or -t - 131072 - first
        co[x] = (co[x] or 0) + 1
      elseif u == u0 and c == c0 and o == o0 then
        who = nil
      end
      if who then
        local entry = char(floor(first / 256) + (u and 128 or 0), first % 256, floor(last / 256) + (c and 128 or 0), last % 256,
          floor(acted / 256) + (o and 128 or 0), acted % 256)
        if p then
          npat = npat + 1
          patk[npat], pato[npat], patv[npat] = key, p + 6, entry
        else
          nadded = nadded + 1
          added[nadded] = who .. entry
        end
      end
    end
    if nadded > 0 then
      rn = rn + nadded
      local piece = table.concat(added)
      local stop = s and free(s, nobody, 1, 13)
      if s and stop + #piece <= #s + 1 then
        npat = npat + 1
        patk[npat], pato[npat], patv[npat] = key, stop - 1, piece
      else
        if s then piece = sub(s, 1, stop - 1) .. piece end
        nset = nset + 1
        setk[nset], setv[nset] = key, piece .. padding(#piece)
      end
    end
    for what in pairs(dirty) do
      nset = nset + 1
      setk[nset], setv[nset] = base .. suffix[what] .. bucket, extra[what]
    end
  end
end

-- Delivery groups: deliveries of the same route in the same minute, then of the same route in the same hour and day, which
-- take over what the finer ones counted. Argument: cells (1), group that takes over (3, 0 = none), cells (3 each).
local cells, late = {}, {}
if next(groups) or next(overdue) then
  local a, i, g = ARGV[9], 1, 1
  while i < #ARGV[9] do
    local n, p1, p2, p3 = byte(a, i, i + 3)
    local v, w = groups[g], overdue[g]
    if v or w then
      local up = (p1 * 256 + p2) * 256 + p3
      if v then
        if up > 0 then groups[up] = (groups[up] or 0) + v end
        -- Two cells a call, for speed: this runs six times for nearly every delivery.
        local stop = i + 3 + 3 * n
        for j = i + 4, stop, 6 do
          local x1, x2, x3, y1, y2, y3 = byte(a, j, j + 5)
          local cell = (x1 * 256 + x2) * 256 + x3
          cells[cell] = (cells[cell] or 0) + v
          if j + 5 <= stop then
            cell = (y1 * 256 + y2) * 256 + y3
            cells[cell] = (cells[cell] or 0) + v
          end
        end
      end
      if w then
        if up > 0 then overdue[up] = (overdue[up] or 0) + w end
        for j = i + 4, i + 1 + 3 * n, 3 do
          local x1, x2, x3 = byte(a, j, j + 2)
          local cell = (x1 * 256 + x2) * 256 + x3
          late[cell] = (late[cell] or 0) + w
        end
      end
    end
    i = i + 4 + 3 * n
    g = g + 1
  end
end

-- Counts. Argument: length of key (2), of increments (4), cells (2), key, increments, places of the cells (1 each). An
-- increment is place in the chunk (1), counter (1), and how many: 7 bits a byte, lowest first, the top bit set on all but the last.
local logk, logv, nlog = {}, {}, 0
local chars = {}
for i = 0, 255 do chars[i] = char(i) end
local function large(n)
  local out = ''
  while n >= 128 do
    out = out .. chars[n % 128 + 128]
    n = floor(n / 128)
  end
  return out .. chars[n]
end
local engaged1, new1, unengaged1, overdue1 = chars[21], chars[22], chars[23], chars[24]
local extras, nextras = {}, 0 -- for the feed: what the deliveries add, in the form of the argument
local cell = 0
local more, concat = {}, table.concat
local function counts(a, feed)
  local i, n = 1, #a
  while i < n do
    local k1, k2, l1, l2, l3, l4, c1, c2 = byte(a, i, i + 7)
    local lk, lb, lc = k1 * 256 + k2, ((l1 * 256 + l2) * 256 + l3) * 256 + l4, c1 * 256 + c2
    i = i + 8
    local key = sub(a, i, i + lk - 1)
    i = i + lk
    call('STRLEN', key) -- fails when it is no string
    local nmore = 0
    for j = i + lb, i + lb + lc - 1 do
      cell = cell + 1
      local v, w = cells[cell], late[cell]
      if v then
        local place = chars[byte(a, j)]
        local e = v % 131072
        if e > 0 then nmore = nmore + 1; more[nmore] = place .. engaged1 .. (e < 128 and chars[e] or large(e)) end
        if v > e then
          v = (v - e) / 131072
          e = v % 131072
          if e > 0 then nmore = nmore + 1; more[nmore] = place .. new1 .. (e < 128 and chars[e] or large(e)) end
          if v > e then
            e = (v - e) / 131072
            nmore = nmore + 1
            more[nmore] = place .. unengaged1 .. (e < 128 and chars[e] or large(e))
          end
        end
      end
      if w then nmore = nmore + 1; more[nmore] = chars[byte(a, j)] .. overdue1 .. large(w) end
    end
    nlog = nlog + 1
    logk[nlog] = key
    if nmore == 0 then
      logv[nlog] = sub(a, i, i + lb - 1)
    else
      local all = concat(more, '', 1, nmore)
      logv[nlog] = sub(a, i, i + lb - 1) .. all
      if feed then
        nextras = nextras + 1
        extras[nextras] = char(k1, k2, 0, 0, floor(#all / 256) % 256, #all % 256, 0, 0) .. key .. all
      end
    end
    i = i + lb + lc
  end
end
counts(ARGV[10], true)
counts(ARGV[11], false)

-- Cohorts. Argument: length of tenant (2), tenant. A hash holds 32 days: "s", "i", "n" (seen, interacted, never) and the day.
local cok, cof, con, nco = {}, {}, {}, 0
if next(co) then
  local tenants, nt = {}, 0
  local a, i = ARGV[8], 1
  while i < #a do
    local l1, l2 = byte(a, i, i + 1)
    local l = l1 * 256 + l2
    tenants[nt] = sub(a, i + 2, i + 1 + l)
    nt = nt + 1
    i = i + 2 + l
  end
  local seen = {}
  local kinds = {[0] = 's', 'i', 'n'}
  for x, n in pairs(co) do
    if n ~= 0 then
      x = -x
      local day = x % 65536
      local key = base .. 'co:' .. floor(day / 32) .. ':' .. tenants[floor(x / 196608)]
      if not seen[key] then
        seen[key] = true
        call('HLEN', key)
      end
      nco = nco + 1
      cok[nco], cof[nco], con[nco] = key, kinds[floor(x / 65536) % 3] .. day, n
    end
  end
end

-- Types of what is left.
call('HLEN', base .. 'tally')
call('LLEN', base .. 'feed')
-- Subjects to list: length of combination (2), of subject (2), day (4), combination, subject.
local subk, subd, subs, nsub = {}, {}, {}, 0
do
  local a, i = ARGV[12], 1
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
for i = 1, nset do
  if setv[i] == '' then call('DEL', setk[i]) else call('SET', setk[i], setv[i]) end
end
for i = 1, npat do call('SETRANGE', patk[i], pato[i], patv[i]) end
local answer = {'done', 0, 0, 0, 0}
local na = 5
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
  local a, i = ARGV[13], 1
  while i < #a do
    local l1, l2 = byte(a, i, i + 1)
    local l, n = l1 * 256 + l2, 0
    for j = i + 2 + l, i + 9 + l do n = n * 256 + byte(a, j) end
    call('HINCRBY', base .. 'tally', sub(a, i + 2, i + 1 + l), string.format('%.0f', n))
    i = i + 10 + l
  end
end
local seq = tonumber(call('HGET', meta, 'seq') or '0')
if #ARGV[10] > 0 then
  local feed = ARGV[15] .. ARGV[10]
  if nextras > 0 then feed = feed .. table.concat(extras) end
  call('RPUSH', base .. 'feed', feed)
  seq = call('HINCRBY', meta, 'seq', 1)
  local bytes = call('HINCRBY', meta, 'feedbytes', #feed)
  local cap = tonumber(ARGV[14])
  -- The newest stays: by its tag a reader knows that the feed is still the one that it has read.
  while bytes > cap and call('LLEN', base .. 'feed') > 1 do
    local gone = call('LPOP', base .. 'feed')
    bytes = call('HINCRBY', meta, 'feedbytes', -#gone)
  end
end
for i = 16, #ARGV, 3 do call('HSET', base .. 'pos', ARGV[i], ARGV[i + 2]) end
if newest > 0 then call('HSET', meta, 'newest', string.format('%.0f', newest)) end
answer[2] = call('HINCRBY', meta, 'rn', rn)
answer[3] = call('HINCRBY', meta, 'dn', dn)
answer[4], answer[5] = newest, seq
return answer

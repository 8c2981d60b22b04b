-- Looks recipients up. KEYS: meta, never. ARGV: base of the keys, whos (7 bytes each). A bucket is read once for neighbours that lie in it:
-- they should come in the order of their hashes turned around.
-- Answers two strings: for each who, 6 bytes, its first, newest and interaction day as the apply script keeps them, zero for a
-- stranger; and 34 bytes for each who that has more: which one (2, the first is 0), unsubscribe, complaint, opt-in, hard bounce
-- (8 each, zero for never).
local call, byte, sub, find, char, floor = redis.call, string.byte, string.sub, string.find, string.char, math.floor
local base, a = ARGV[1], ARGV[2]
local have = call('HMGET', KEYS[1], 'rb', 'rs')
local size, split = 2 ^ tonumber(have[1] or '0'), tonumber(have[2] or '0')
local nobody, never = string.rep('\0', 6), string.rep('\0', 8)
local at, name, s, hard -- the bucket, its name, its recipients and hard bounces
local extra = {}        -- its unsubscribes, complaints, opt-ins, as far as they were needed

local function since(x, who)
  local p = x and find(x, who, 1, true)
  while p and (p - 1) % 15 ~= 0 do p = find(x, who, p + 1, true) end
  return p and sub(x, p + 7, p + 14)
end
local function kept(what, who)
  if extra[what] == nil then extra[what] = call('GET', base .. what .. name) end
  return since(extra[what], who) or never
end

local days, more, n = {}, {}, 0
for i = 1, #a, 7 do
  local h1, h2, h3, h4 = byte(a, i + 3, i + 6)
  local hash = ((h1 * 256 + h2) * 256 + h3) * 256 + h4
  local b = hash % size
  if b < split then b = hash % (2 * size) end
  if b ~= at then
    at, name, extra = b, string.format('%.0f', b), {}
    s = call('GET', base .. 'r:' .. name)
    hard = s and call('GET', base .. 'xh:' .. name)
  end
  n = n + 1
  days[n] = nobody
  if s then
    local who = sub(a, i, i + 6)
    local p = find(s, who, 1, true)
    while p and (p - 1) % 13 ~= 0 do p = find(s, who, p + 1, true) end
    if p then
      days[n] = sub(s, p + 7, p + 12)
      local u, c, o = byte(s, p + 7), byte(s, p + 9), byte(s, p + 11)
      local h = hard and since(hard, who)
      if u >= 128 or c >= 128 or o >= 128 or h then
        more[#more + 1] = char(floor((n - 1) / 256), (n - 1) % 256) .. (u >= 128 and kept('xu:', who) or never) ..
          (c >= 128 and kept('xc:', who) or never) .. (o >= 128 and kept('xo:', who) or never) .. (h or never)
      end
    end
  end
end
return {table.concat(days), table.concat(more)}

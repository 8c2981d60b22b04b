-- Looks recipients up. KEYS: meta. ARGV: base of the keys, whos (7 bytes each).
-- Answers, for each, 38 bytes: first, newest and interaction day (2 each), unsubscribe, complaint, opt-in, hard bounce (8 each);
-- all zero for a stranger. One string.
local call, byte, sub, find, floor = redis.call, string.byte, string.sub, string.find, math.floor
local base, a = ARGV[1], ARGV[2]
local have = call('HMGET', KEYS[1], 'rb', 'rs')
local size, split = 2 ^ tonumber(have[1] or '0'), tonumber(have[2] or '0')
local cache = {}
local function bucket(name, b)
  local key = base .. name .. string.format('%.0f', b)
  local s = cache[key]
  if s == nil then
    s = call('GET', key)
    cache[key] = s
  end
  return s
end
local function place(s, who, width)
  local p = find(s, who, 1, true)
  while p and (p - 1) % width ~= 0 do p = find(s, who, p + 1, true) end
  return p
end
local none, never = string.rep('\0', 38), string.rep('\0', 8)
local out = {}
for i = 1, #a, 7 do
  local who = sub(a, i, i + 6)
  local h1, h2, h3, h4 = byte(who, 4, 7)
  local hash = ((h1 * 256 + h2) * 256 + h3) * 256 + h4
  local b = hash % size
  if b < split then b = hash % (2 * size) end
  local s = bucket('r:', b)
  local p = s and place(s, who, 13)
  if p then
    local f1, f2, s1, s2, a1, a2 = byte(s, p + 7, p + 12)
    local parts = {string.char(f1 % 128, f2, s1 % 128, s2, a1 % 128, a2)}
    for k, name in ipairs({'xu:', 'xc:', 'xo:', 'xh:'}) do
      local x, q = nil, nil
      if k == 1 and f1 >= 128 or k == 2 and s1 >= 128 or k == 3 and a1 >= 128 or k == 4 then x = bucket(name, b) end
      if x then q = place(x, who, 15) end
      parts[k + 1] = q and sub(x, q + 7, q + 14) or never
    end
    out[#out + 1] = table.concat(parts)
  else
    out[#out + 1] = none
  end
end
return table.concat(out)

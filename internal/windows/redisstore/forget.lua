-- Erases recipients of one tenant. KEYS: meta, never. ARGV: base of the keys, tenant, whos (7 bytes each), tag of this step.
-- Answers how many there were.
local call, byte, sub, find, floor = redis.call, string.byte, string.sub, string.find, math.floor
local base, tenant, a = ARGV[1], ARGV[2], ARGV[3]
local have = call('HMGET', KEYS[1], 'rb', 'rs')
local size, split = 2 ^ tonumber(have[1] or '0'), tonumber(have[2] or '0')
local strings, dirty = {}, {}
local function load(key)
  if strings[key] == nil then strings[key] = call('GET', key) or '' end
  return strings[key]
end
local function cut(key, who, width)
  local s = load(key)
  local p = find(s, who, 1, true)
  while p and (p - 1) % width ~= 0 do p = find(s, who, p + 1, true) end
  if not p then return nil end
  strings[key] = sub(s, 1, p - 1) .. sub(s, p + width)
  if string.find(strings[key], '^%z*$') then strings[key] = '' end
  dirty[key] = true
  return sub(s, p, p + width - 1)
end
local moves, n = {}, 0
local function move(kind, day)
  local key = base .. 'co:' .. floor(day / 32) .. ':' .. tenant
  moves[#moves + 1] = {key, kind .. day}
  call('HLEN', key)
end
for i = 1, #a, 7 do
  local who = sub(a, i, i + 6)
  local h1, h2, h3, h4 = byte(who, 4, 7)
  local hash = ((h1 * 256 + h2) * 256 + h3) * 256 + h4
  local b = hash % size
  if b < split then b = hash % (2 * size) end
  local name = string.format('%.0f', b)
  local entry = cut(base .. 'r:' .. name, who, 13)
  if entry then
    n = n + 1
    local f1, f2, s1, s2, a1, a2 = byte(entry, 8, 13)
    local first, last, acted = f1 % 128 * 256 + f2, s1 % 128 * 256 + s2, a1 % 128 * 256 + a2
    move('s', last)
    if acted > 0 then move('i', acted) else move('n', first) end
    for _, x in ipairs({'xu:', 'xc:', 'xo:', 'xh:'}) do cut(base .. x .. name, who, 15) end
  end
end
for key in pairs(dirty) do
  if strings[key] == '' then call('DEL', key) else call('SET', key, strings[key]) end
end
for _, m in ipairs(moves) do
  if call('HINCRBY', m[1], m[2], -1) == 0 then call('HDEL', m[1], m[2]) end
end
if next(dirty) then call('HSET', KEYS[1], 'ver', ARGV[4]) end
if n > 0 then call('HINCRBY', KEYS[1], 'rn', -n) end
return n

-- Splits packed buckets in two (layout.go). KEYS: meta, never. ARGV: base of the keys, "r" or "d", bits and split as the caller knows
-- them, how many buckets to split, tag of this step. Answers {bits, split} as they are afterwards; nothing is done when they were others.
local call, byte, sub, find, floor = redis.call, string.byte, string.sub, string.find, math.floor
local zero = string.rep('\0', 6)
local base, kind = ARGV[1], ARGV[2]
local have = call('HMGET', KEYS[1], kind .. 'b', kind .. 's')
local bits, split = have[1] or '0', have[2] or '0'
if bits ~= ARGV[3] or split ~= ARGV[4] then return {bits, split} end
bits, split = tonumber(bits), tonumber(split)
local size = 2 ^ bits
local last = math.min(split + tonumber(ARGV[5]), size)

-- The bit that decides stands in a hash's byte-th byte from its end.
local from_end, divisor = floor(bits / 8), 2 ^ (bits % 8)

-- As in the apply script.
local function padding(n)
  local need = n + 6
  local step = 16
  while need > 8 * step do step = step * 2 end
  return string.rep('\0', (step - need % step) % step)
end

local setk, setv, n = {}, {}, 0
local function put(key, value, padded)
  n = n + 1
  if padded and value ~= '' then value = value .. padding(#value) end
  setk[n], setv[n] = key, value
end

-- Parts the entries of s from position p on by the bit, the hash being in the first bytes of each; neighbours that stay together
-- are copied together. Stops before an entry that begins with zeros, or at the end. Appends to the lists and answers where.
local function part(s, p, width, hash, low, high)
  local at = hash - 1 - from_end
  local start, was = p, nil
  local n = #s - width + 1
  while p <= n do
    local bit = floor(byte(s, p + at) / divisor) % 2
    if byte(s, p) == 0 and find(s, zero, p, true) == p then break end
    if bit ~= was then
      if was then
        local half = was == 1 and high or low
        half[#half + 1] = sub(s, start, p - 1)
      end
      start, was = p, bit
    end
    p = p + width
  end
  if was then
    local half = was == 1 and high or low
    half[#half + 1] = sub(s, start, p - 1)
  end
  return p
end

-- Parts a bucket of recipients, or of what is kept beside them.
local function part_people(s, width)
  local low, high = {}, {}
  part(s, 1, width, 7, low, high)
  return table.concat(low), table.concat(high)
end

-- Parts a bucket of fingerprints, slice by slice.
local function part_prints(s)
  local first = sub(s, 1, 2)
  local at, p = first, 5
  local out = {low = {}, high = {}}
  local newest = {}
  while p <= #s - 7 do
    local l, h = {}, {}
    p = part(s, p, 8, 8, l, h)
    for name, pieces in pairs({low = l, high = h}) do
      if #pieces > 0 then
        local half = out[name]
        if not newest[name] then
          half[1] = at
          half[2] = at
        else
          half[#half + 1] = zero .. at
        end
        newest[name] = at
        half[2] = at
        for _, piece in ipairs(pieces) do half[#half + 1] = piece end
      end
    end
    if p > #s - 7 or sub(s, p + 6, p + 7) == '\0\0' then break end
    at = sub(s, p + 6, p + 7)
    p = p + 8
  end
  return table.concat(out.low), table.concat(out.high)
end

local names = kind == 'd' and {'dd:'} or {'r:', 'xu:', 'xc:', 'xo:', 'xh:'}
for b = split, last - 1 do
  for _, name in ipairs(names) do
    local low, high = base .. name .. string.format('%.0f', b), base .. name .. string.format('%.0f', b + size)
    local s = call('GET', low)
    if s and s ~= '' then
      local l, h
      if name == 'dd:' then
        l, h = part_prints(s)
      else
        l, h = part_people(s, name == 'r:' and 13 or 15)
      end
      put(low, l, name == 'dd:' or name == 'r:')
      put(high, h, name == 'dd:' or name == 'r:')
    end
  end
end
for i = 1, n do
  if setv[i] == '' then call('DEL', setk[i]) else call('SET', setk[i], setv[i]) end
end
split = last
if split >= size then bits, split = bits + 1, 0 end
call('HSET', KEYS[1], kind .. 'b', string.format('%.0f', bits), kind .. 's', string.format('%.0f', split), 'ver', ARGV[6])
return {string.format('%.0f', bits), string.format('%.0f', split)}

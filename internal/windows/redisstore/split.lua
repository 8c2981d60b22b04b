-- Splits packed buckets in two (layout.go). KEYS: meta. ARGV: base of the keys, "r" or "d", bits and split as the caller knows
-- them, how many buckets to split. Answers {bits, split} as they are afterwards; nothing is done when they were others.
local call, byte, sub, char, floor = redis.call, string.byte, string.sub, string.char, math.floor
local base, kind = ARGV[1], ARGV[2]
local have = call('HMGET', KEYS[1], kind .. 'b', kind .. 's')
local bits, split = have[1] or '0', have[2] or '0'
if bits ~= ARGV[3] or split ~= ARGV[4] then return {bits, split} end
bits, split = tonumber(bits), tonumber(split)
local size = 2 ^ bits
local last = math.min(split + tonumber(ARGV[5]), size)

-- The bit that decides stands in a hash's byte-th byte from its end.
local from_end, divisor = floor(bits / 8), 2 ^ (bits % 8)

-- Parts s from position at, entries of width bytes with the hash in the first few, by the bit. Answers two strings and how many
-- entries the first has.
local function part(s, at, to, width, hash)
  local low, high, nl, nh = {}, {}, 0, 0
  for p = at, to, width do
    if floor(byte(s, p + hash - 1 - from_end) / divisor) % 2 == 1 then
      nh = nh + 1
      high[nh] = sub(s, p, p + width - 1)
    else
      nl = nl + 1
      low[nl] = sub(s, p, p + width - 1)
    end
  end
  return table.concat(low), table.concat(high), nl, nh
end

local setk, setv, n = {}, {}, 0
local function put(key, value)
  n = n + 1
  setk[n], setv[n] = key, value
end

local names = kind == 'd' and {'dd:'} or {'r:', 'xu:', 'xc:', 'xo:', 'xh:'}
for b = split, last - 1 do
  for _, name in ipairs(names) do
    local low, high = base .. name .. string.format('%.0f', b), base .. name .. string.format('%.0f', b + size)
    local s = call('GET', low)
    if s and s ~= '' then
      if name == 'dd:' then
        local count = byte(s, 1)
        local at = 2 + 4 * count
        local lh, hh, lb, hb, lc, hc = {}, {}, {}, {}, 0, 0
        for section = 1, count do
          local t1, t2, q1, q2 = byte(s, 4 * section - 2, 4 * section + 1)
          local width = 8 * (q1 * 256 + q2)
          local l, h, nl, nh = part(s, at, at + width - 1, 8, 8)
          at = at + width
          if nl > 0 then
            lc = lc + 1
            lh[lc], lb[lc] = char(t1, t2, floor(nl / 256), nl % 256), l
          end
          if nh > 0 then
            hc = hc + 1
            hh[hc], hb[hc] = char(t1, t2, floor(nh / 256), nh % 256), h
          end
        end
        put(low, lc > 0 and char(lc) .. table.concat(lh) .. table.concat(lb) or '')
        put(high, hc > 0 and char(hc) .. table.concat(hh) .. table.concat(hb) or '')
      else
        local l, h = part(s, 1, #s, name == 'r:' and 13 or 15, 7)
        put(low, l)
        put(high, h)
      end
    end
  end
end
for i = 1, n do
  if setv[i] == '' then call('DEL', setk[i]) else call('SET', setk[i], setv[i]) end
end
split = last
if split >= size then bits, split = bits + 1, 0 end
call('HSET', KEYS[1], kind .. 'b', string.format('%.0f', bits), kind .. 's', string.format('%.0f', split))
return {string.format('%.0f', bits), string.format('%.0f', split)}

-- Takes out of packed buckets what is no longer kept. KEYS: meta, never. ARGV: base of the keys, "r" or "d", first bucket, how many
-- buckets; for "r": recipients last seen before this stored day go; for "d": dedupe horizon in seconds; tag of this step.
-- Answers {buckets that there are, entries taken out}.
local call, byte, sub, char, floor = redis.call, string.byte, string.sub, string.char, math.floor
local base, kind = ARGV[1], ARGV[2]
local have = call('HMGET', KEYS[1], kind .. 'b', kind .. 's', 'newest')
local total = 2 ^ tonumber(have[1] or '0') + tonumber(have[2] or '0')
local from = tonumber(ARGV[3])
local to = math.min(from + tonumber(ARGV[4]), total) - 1
local gone = 0
local setk, setv, n = {}, {}, 0
local function put(key, value)
  n = n + 1
  setk[n], setv[n] = key, value
end
-- As in the apply script.
local function padding(n)
  local need = n + 6
  local step = 16
  while need > 8 * step do step = step * 2 end
  return string.rep('\0', (step - need % step) % step)
end
if kind == 'd' then
  local newest = tonumber(have[3] or '0')
  local slice = floor(newest / 14400)
  local age = slice - floor((newest - tonumber(ARGV[5])) / 14400)
  slice = slice % 65535 + 1
  local nothing, mark = string.rep('\0', 8), string.rep('\0', 6)
  for b = from, to do
    local key = base .. 'dd:' .. string.format('%.0f', b)
    local s = call('GET', key)
    local o1, o2 = 0, slice
    if s then o1, o2 = byte(s, 1, 2) end
    if (slice - o1 * 256 - o2) % 65535 > age then
      local kept = nil
      for p = 5, #s - 7, 8 do
        local entry = sub(s, p, p + 7)
        if entry == nothing then break end
        if sub(entry, 1, 6) == mark then
          o1, o2 = byte(entry, 7, 8)
          if (slice - o1 * 256 - o2) % 65535 <= age then
            kept = char(o1, o2) .. sub(s, 3, 4) .. sub(s, p + 8)
            break
          end
        else
          gone = gone + 1
        end
      end
      put(key, kept or '')
    end
  end
else
  local limit = tonumber(ARGV[5])
  for b = from, to do
    local name = string.format('%.0f', b)
    local key = base .. 'r:' .. name
    local s = call('GET', key)
    if s then
      local left, away = {}, {}
      for p = 1, #s - 12, 13 do
        local l1, l2 = byte(s, p + 9, p + 10)
        if l1 + l2 == 0 then break end
        if (l1 % 128) * 256 + l2 < limit then
          away[sub(s, p, p + 6)] = true
          gone = gone + 1
        else
          left[#left + 1] = sub(s, p, p + 12)
        end
      end
      if next(away) then
        local rest = table.concat(left)
        put(key, rest == '' and '' or rest .. padding(#rest))
        for _, x in ipairs({'xu:', 'xc:', 'xo:', 'xh:'}) do
          local t = call('GET', base .. x .. name)
          if t then
            local rest = {}
            for p = 1, #t, 15 do
              if not away[sub(t, p, p + 6)] then rest[#rest + 1] = sub(t, p, p + 14) end
            end
            put(base .. x .. name, table.concat(rest))
          end
        end
      end
    end
  end
end
for i = 1, n do
  if setv[i] == '' then call('DEL', setk[i]) else call('SET', setk[i], setv[i]) end
end
if n > 0 then call('HSET', KEYS[1], 'ver', ARGV[6]) end
if gone > 0 then call('HINCRBY', KEYS[1], kind .. 'n', -gone) end
return {string.format('%.0f', total), gone}

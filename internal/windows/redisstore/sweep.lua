-- Takes out of packed buckets what is no longer kept. KEYS: meta. ARGV: base of the keys, "r" or "d", first bucket, how many
-- buckets; for "r": recipients last seen before this stored day go; for "d": dedupe horizon in seconds.
-- Answers {buckets that there are, entries taken out}.
local call, byte, sub, floor = redis.call, string.byte, string.sub, math.floor
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
if kind == 'd' then
  local newest = tonumber(have[3] or '0')
  local slice = floor(newest / 14400) % 65536
  local age = (slice - floor((newest - tonumber(ARGV[5])) / 14400) % 65536) % 65536
  for b = from, to do
    local key = base .. 'dd:' .. string.format('%.0f', b)
    local s = call('GET', key)
    if s then
      local count, skip, first = byte(s, 1), 0, 1
      while first <= count do
        local t1, t2, q1, q2 = byte(s, 4 * first - 2, 4 * first + 1)
        if (slice - t1 * 256 - t2) % 65536 <= age then break end
        skip = skip + q1 * 256 + q2
        first = first + 1
      end
      if first > 1 then
        local body = 2 + 4 * count
        gone = gone + skip
        if first > count then
          put(key, '')
        else
          put(key, string.char(count - first + 1) .. sub(s, 4 * first - 2, body - 1) .. sub(s, body + 8 * skip))
        end
      end
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
      for p = 1, #s, 13 do
        local l1, l2 = byte(s, p + 9, p + 10)
        if (l1 % 128) * 256 + l2 < limit then
          away[sub(s, p, p + 6)] = true
          gone = gone + 1
        else
          left[#left + 1] = sub(s, p, p + 12)
        end
      end
      if next(away) then
        put(key, table.concat(left))
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
if gone > 0 then call('HINCRBY', KEYS[1], kind .. 'n', -gone) end
return {string.format('%.0f', total), gone}

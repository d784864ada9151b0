-- Take messages off their lists and record them as unacknowledged, owned and leased, in one step: a worker that is
-- killed at any moment has either not taken a message or can be told to have it.
-- KEYS: 1 unacked, 2 unacked_index (both kombu's), 3 leases, 4 owners, 5 holders, 6 unreadable, then for each list,
--       the one to be emptied first foremost: the list, and the holding list of this worker for it
-- ARGV: 1 most messages, 2 token of this claim, 3 lease in µs, then for each list the name of its queue
-- Returns for each message the number of its list, its delivery tag and the raw message, in turn.
local most, token, lease_us = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now_s = string.format('%d.%06d', time[1], time[2])
local deadline_us = string.format('%.0f', time[1] * 1000000 + time[2] + lease_us)
local claimed, left = {}, most
local unacked, index, leases, owners, holders = {}, {}, {}, {}, {}

local function tag_of(raw)
  -- An unescaped quote occurs in no JSON string, so this is the key itself; the parser is there for other spellings.
  local tag = string.match(raw, '"delivery_tag": ?"([^"\\]+)"')
  if tag then
    return tag
  end
  local is_json, message = pcall(cjson.decode, raw)
  local properties = is_json and type(message) == 'table' and message.properties
  tag = type(properties) == 'table' and properties.delivery_tag
  return type(tag) == 'string' and tag
end

local function take(source, list, number)
  local raws = left > 0 and redis.call('RPOP', source, left) or {}
  left = left - #raws
  for _, raw in ipairs(raws) do
    local tag = tag_of(raw)
    if tag then
      table.insert(claimed, number)
      table.insert(claimed, tag)
      table.insert(claimed, raw)
      table.insert(unacked, tag)
      table.insert(unacked, '[' .. raw .. ', "", ' .. cjson.encode(ARGV[3 + number]) .. ']')
      table.insert(index, now_s)
      table.insert(index, tag)
      table.insert(leases, deadline_us)
      table.insert(leases, tag)
      table.insert(owners, tag)
      table.insert(owners, token .. ' ' .. #raw .. ' ' .. list)
    else
      redis.call('LPUSH', KEYS[6], raw)
      redis.call('LTRIM', KEYS[6], 0, 999)
    end
  end
end

for number = 1, (#KEYS - 6) / 2 do
  local list, holding = KEYS[5 + 2 * number], KEYS[6 + 2 * number]
  take(holding, list, number)
  take(list, list, number)
  table.insert(holders, deadline_us)
  table.insert(holders, holding)
end
redis.call('ZADD', KEYS[5], unpack(holders))
if #unacked > 0 then
  redis.call('HSET', KEYS[1], unpack(unacked))
  redis.call('ZADD', KEYS[2], unpack(index))
  redis.call('ZADD', KEYS[3], unpack(leases))
  redis.call('HSET', KEYS[4], unpack(owners))
end
return claimed

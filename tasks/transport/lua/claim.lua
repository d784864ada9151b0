-- Take messages off their lists and record them as unacknowledged, owned and leased, in one step: a worker that is
-- killed at any moment has either not taken a message or can be told to have it.
-- KEYS: 1 unacked, 2 unacked_index (both kombu's), 3 leases, 4 owners, 5 holders, 6 unreadable, 7 paused, then for
--       each list, the one to be emptied first foremost: the list, and the holding list of this worker for it
-- ARGV: 1 most messages, 2 token of this claim, 3 lease in µs, then for each list the name of its queue
-- Returns for each message the number of its list, its delivery tag and the raw message, in turn; and the names of
-- queues that are paused: of theirs nothing is taken, and what was moved to this worker goes back.
local most, token, lease_us = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now_s = string.format('%d.%06d', time[1], time[2])
local deadline_us = string.format('%.0f', time[1] * 1000000 + time[2] + lease_us)
local claimed, paused, left = {}, {}, most
local some_are_paused = redis.call('EXISTS', KEYS[7]) == 1
local unacked, index, leases, owners, holders = {}, {}, {}, {}, {}

local function tag_of(raw)
  -- An unescaped quote occurs in no JSON string, so this is a key. Where it is the only one of this name it is the one;
  -- the parser is there for headers of that name, and for other spellings.
  local _, last, tag = string.find(raw, '"delivery_tag": ?"([^"\\]+)"')
  if tag and not string.find(raw, '"delivery_tag"', last, true) then
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

for number = 1, (#KEYS - 7) / 2 do
  local list, holding, queue = KEYS[6 + 2 * number], KEYS[7 + 2 * number], ARGV[3 + number]
  if some_are_paused and redis.call('SISMEMBER', KEYS[7], queue) == 1 then
    table.insert(paused, queue)
    -- First a command that frees: Redis lets a script that began so go on when its memory is full.
    redis.call('ZREM', KEYS[5], '')
    while redis.call('LMOVE', holding, list, 'LEFT', 'RIGHT') do end
  else
    take(holding, list, number)
    take(list, list, number)
  end
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
return {claimed, paused}

-- Messages whose worker has not renewed its lease go back to their lists, to be claimed next by another.
-- KEYS: 1 unacked, 2 unacked_index, 3 leases, 4 owners, 5 holders
-- ARGV: 1 most messages
-- Returns how many messages were returned.
local time = redis.call('TIME')
local now_us = string.format('%.0f', time[1] * 1000000 + time[2])
local returned = 0
for _, tag in ipairs(redis.call('ZRANGE', KEYS[3], '-inf', now_us, 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local owner, entry = redis.call('HGET', KEYS[4], tag), redis.call('HGET', KEYS[1], tag)
  redis.call('ZREM', KEYS[3], tag)
  redis.call('ZREM', KEYS[2], tag)
  redis.call('HDEL', KEYS[1], tag)
  redis.call('HDEL', KEYS[4], tag)
  if owner and entry then
    local length, list = string.match(owner, '^%S+ (%d+) (.*)$')
    local raw = string.sub(entry, 2, 1 + length)
    if not string.find(raw, '"redelivered": true', 1, true) then
      raw = string.gsub(raw, '"delivery_info": ?{"', '"delivery_info": {"redelivered": true, "', 1)
    end
    redis.call('RPUSH', list, raw)
    returned = returned + 1
  end
end
for _, holding in ipairs(redis.call('ZRANGE', KEYS[5], '-inf', now_us, 'BYSCORE')) do
  local list = string.match(holding, 'held:%x+:(.*)$')
  while redis.call('LMOVE', holding, list, 'LEFT', 'RIGHT') do
    returned = returned + 1
  end
  redis.call('ZREM', KEYS[5], holding)
end
return returned

-- Hand out callbacks that are due, as far as their queue has room. One that is not begun within the patience is due again.
-- KEYS: 1 due, 2 the queue's list
-- ARGV: 1 start of job keys, 2 end of callback keys, 3 most messages in the queue, 4 patience in s
-- Returns for each its job's id and the number of attempts that were begun.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local until_us = string.format('%.0f', now_us + ARGV[4] * 1000000)
local room = ARGV[3] - redis.call('LLEN', KEYS[2])
local handed = {}
if room <= 0 then
  return handed
end
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now_us), 'BYSCORE', 'LIMIT', 0, room)) do
  local number = redis.call('HGET', ARGV[1] .. id .. ARGV[2], 'number')
  if number then
    redis.call('ZADD', KEYS[1], until_us, id)
    handed[#handed + 1] = {id, number}
  else
    redis.call('ZREM', KEYS[1], id)
  end
end
return handed

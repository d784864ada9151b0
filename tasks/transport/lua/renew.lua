-- A worker lives: its leases last longer, and stock consumers on the same Redis see fresh entries.
-- KEYS: 1 unacked_index, 2 leases, 3 owners, 4 holders
-- ARGV: 1 lease in µs, 2 number of holding lists, those, then for each message its delivery tag and its claim's token
-- Returns the tags of the messages that are no longer this worker's.
local time = redis.call('TIME')
local now_s = string.format('%d.%06d', time[1], time[2])
local deadline_us = string.format('%.0f', time[1] * 1000000 + time[2] + ARGV[1])
local first, lost = 3 + ARGV[2], {}
-- First a command that frees: Redis lets a script that began so go on when its memory is full.
redis.call('ZREM', KEYS[2], '')
for i = 3, first - 1 do
  redis.call('ZADD', KEYS[4], deadline_us, ARGV[i])
end
for i = first, #ARGV, 2 do
  local owner = redis.call('HGET', KEYS[3], ARGV[i])
  if owner and string.sub(owner, 1, #ARGV[i + 1] + 1) == ARGV[i + 1] .. ' ' then
    redis.call('ZADD', KEYS[1], now_s, ARGV[i])
    redis.call('ZADD', KEYS[2], deadline_us, ARGV[i])
  else
    table.insert(lost, ARGV[i])
  end
end
return lost

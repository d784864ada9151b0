-- An attempt of a callback begins; it is counted here. When it is not settled within the lease, the callback is due again.
-- KEYS: 1 the job, 2 its result, 3 its callback, 4 due
-- ARGV: 1 the job's id, 2 how many attempts were begun before, 3 lease in s, 4 most bytes of a result that is sent along,
--       5 attempts kept, 6 start of an attempt's field
-- Returns {}: another attempt was begun meanwhile, it is settled, or there is no record any more; else the attempt's number,
-- that of the attempts before the latest round, the time in µs, the job's record and its result, both as HGETALL gives them,
-- the result only when it is small.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local started_at_us = string.format('%.0f', now_us)
local status, number, round = unpack(redis.call('HMGET', KEYS[3], 'status', 'number', 'round'))
local record = redis.call('HGETALL', KEYS[1])
if not status or #record == 0 then
  redis.call('ZREM', KEYS[4], ARGV[1])
  return {}
elseif status ~= 'due' or number ~= ARGV[2] then
  return {}
end
number = number + 1
redis.call('HSET', KEYS[3], 'number', number, ARGV[6] .. number, '{"started_at_us": ' .. started_at_us .. '}')
redis.call('HDEL', KEYS[3], ARGV[6] .. (number - ARGV[5]))
redis.call('ZADD', KEYS[4], string.format('%.0f', now_us + ARGV[3] * 1000000), ARGV[1])

local size_bytes, result = 0, {}
for _, part in ipairs(redis.call('HKEYS', KEYS[2])) do
  size_bytes = size_bytes + redis.call('HSTRLEN', KEYS[2], part)
end
if size_bytes <= tonumber(ARGV[4]) then
  result = redis.call('HGETALL', KEYS[2])
end
return {number, tonumber(round), started_at_us, record, result}

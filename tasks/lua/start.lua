-- A worker takes a job to run it: counts the delivery and the attempt, and hands out record and input.
-- KEYS: 1 job, 2 job_input, 3 running, 4 deadlines
-- ARGV: 1 worker, 2 job id
-- Returns {'missing'}, {a terminal status}, {'late'} past the deadline, or {'running', record, input}.
local status = redis.call('HGET', KEYS[1], 'status')
if not status then
  return {'missing'}
end
if status ~= 'queued' and status ~= 'running' then
  return {status}
end
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local times = redis.call('HMGET', KEYS[1], 'created_at_us', 'expires_in_s')
if times[2] and now_us > times[1] + times[2] * 1000000 then
  return {'late'}
end
local started_at_us = string.format('%.0f', now_us)
redis.call('HINCRBY', KEYS[1], 'delivery', 1)
redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'status', 'running', 'started_at_us', started_at_us, 'worker', ARGV[1])
redis.call('ZADD', KEYS[3], started_at_us, ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
return {'running', redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2])}

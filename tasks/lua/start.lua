-- A worker takes a job to run it: counts the delivery and the attempt, and hands out record and input.
-- KEYS: 1 job, 2 job_input, 3 running, 4 deadlines
-- ARGV: 1 worker, 2 job id, 3 the worker's model, 4 most attempts, 5 claim: asking again with the same one, because the
--       answer was lost, counts nothing twice (empty: always a new claim)
-- Returns {'missing'}, {'foreign'} (another model's job), {a terminal status}, {'late'} past the deadline,
-- {'poisoned'} when the job had its attempts, or {'running', record, input}.
local fields = {'status', 'model', 'created_at_us', 'expires_in_s', 'attempt', 'claim'}
local stored = redis.call('HMGET', KEYS[1], unpack(fields))
local status, model, created_at_us, expires_in_s, attempt, claim = unpack(stored)
if not status then
  return {'missing'}
end
if model ~= ARGV[3] then
  return {'foreign'}
end
if status ~= 'queued' and status ~= 'running' then
  return {status}
end
if status == 'running' and ARGV[5] ~= '' and claim == ARGV[5] then
  return {'running', redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2])}
end
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
if status == 'queued' and expires_in_s and now_us > created_at_us + expires_in_s * 1000000 then
  return {'late'}
end
if tonumber(attempt) >= tonumber(ARGV[4]) then
  return {'poisoned'}
end
local started_at_us = string.format('%.0f', now_us)
-- First a command that frees: Redis lets a script that began so go on when its memory is full.
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HINCRBY', KEYS[1], 'delivery', 1)
redis.call('HINCRBY', KEYS[1], 'attempt', 1)
redis.call('HSET', KEYS[1], 'status', 'running', 'started_at_us', started_at_us, 'worker', ARGV[1], 'claim', ARGV[5])
redis.call('ZADD', KEYS[3], started_at_us, ARGV[2])
return {'running', redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2])}

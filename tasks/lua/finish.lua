-- Give a job its terminal status, once. The only place where a job ends.
-- KEYS: 1 job, 2 job_input, 3 job_result, 4 unfinished, 5 running, 6 finished, 7 deadlines
-- ARGV: 1 job id, 2 status, 3 delivery that must still be the job's (empty: any), 4 lifetime in s, 5 channel,
--       6 number of record fields and values, then those in turn, then the result's parts and bytes in turn
-- Returns 'done', 'missing', 'stale' (the job is with another worker), or the terminal status that it already has.
local current = redis.call('HMGET', KEYS[1], 'status', 'delivery')
if not current[1] then
  return 'missing'
end
if current[1] ~= 'queued' and current[1] ~= 'running' then
  return current[1]
end
if ARGV[3] ~= '' and ARGV[3] ~= current[2] then
  return 'stale'
end
local time = redis.call('TIME')
local now_us = string.format('%.0f', time[1] * 1000000 + time[2])
local first_part = 7 + ARGV[6]
-- First a command that frees: Redis lets a script that began so go on when its memory is full.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], 'status', ARGV[2], 'finished_at_us', now_us, unpack(ARGV, 7, first_part - 1))
redis.call('EXPIRE', KEYS[1], ARGV[4])
if #ARGV >= first_part then
  redis.call('HSET', KEYS[3], unpack(ARGV, first_part))
  redis.call('EXPIRE', KEYS[3], ARGV[4])
end
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('ZREM', KEYS[5], ARGV[1])
redis.call('ZREM', KEYS[7], ARGV[1])
redis.call('HINCRBY', KEYS[6], ARGV[2], 1)
redis.call('PUBLISH', ARGV[5], ARGV[2])
return 'done'

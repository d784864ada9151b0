-- Record a job and put its message into the queue, in one step: after it the job is durable, before it nothing is.
-- KEYS: 1 job, 2 job_input, 3 unfinished, 4 the queue's list
-- ARGV: 1 payload, 2 message, 3 event channel, 4 event, 5 job id, then the record's fields and values in turn
-- Returns 1, or 0 when the id is taken (nothing is changed then).
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
redis.call('HSET', KEYS[1], 'created_at_us', string.format('%.0f', now_us), unpack(ARGV, 6))
redis.call('SET', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], string.format('%.0f', now_us), ARGV[5])
redis.call('LPUSH', KEYS[4], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1

-- Record a job and put its message into the queue, in one step: after it the job is durable, before it nothing is.
-- KEYS: 1 job, 2 job_input, 3 unfinished, 4 deadlines, 5 the queue's list
-- ARGV: 1 payload, 2 message, 3 event channel, 4 event, 5 job id, 6 expires_in_s (empty: never), then the record's
--       fields and values in turn
-- Submitting an id again changes nothing. Returns 1, or 0 when it was there already.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local created_at_us = string.format('%.0f', now_us)
redis.call('HSET', KEYS[1], 'created_at_us', created_at_us, unpack(ARGV, 7))
redis.call('SET', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], created_at_us, ARGV[5])
if ARGV[6] ~= '' then
  redis.call('ZADD', KEYS[4], string.format('%.0f', now_us + ARGV[6] * 1000000), ARGV[5])
end
redis.call('LPUSH', KEYS[5], ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1

-- Record jobs of one queue and put their messages into it, in one step: after it the jobs are durable, before it nothing
-- is.
-- KEYS: 1 unfinished, 2 deadlines, 3 the queue's list, then for each job: job, job_input
-- ARGV: 1 event channel, then for each job: job id, record (a JSON list of fields and values in turn), payload, message,
--       event, expires_in_s (empty: never)
-- Submitting an id again changes nothing. Returns how many were new.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local created_at_us = string.format('%.0f', now_us)
local entries, messages = {}, {}
local argument = 2
for key = 4, #KEYS, 2 do
  local job_id, record, payload, message, event, expires_in_s = unpack(ARGV, argument, argument + 5)
  argument = argument + 6
  if redis.call('EXISTS', KEYS[key]) == 0 then
    redis.call('HSET', KEYS[key], 'created_at_us', created_at_us, unpack(cjson.decode(record)))
    redis.call('SET', KEYS[key + 1], payload)
    if expires_in_s ~= '' then
      redis.call('ZADD', KEYS[2], string.format('%.0f', now_us + expires_in_s * 1000000), job_id)
    end
    redis.call('PUBLISH', ARGV[1], event)
    entries[#entries + 1] = created_at_us
    entries[#entries + 1] = job_id
    messages[#messages + 1] = message
  end
end
if #messages > 0 then
  redis.call('ZADD', KEYS[1], unpack(entries))
  redis.call('LPUSH', KEYS[3], unpack(messages))
end
return #messages

-- The model is about to run jobs: counts the delivery and the attempt of each.
-- KEYS: 1 owners (see tasks.transport), 2 deadlines, 3 running, 4 paused
-- ARGV: 1 start of job keys, 2 worker, 3 most attempts, 4 run: asking again with the same one, because the answer was
--       lost, counts nothing twice, 5 the model's queue, then for each job its message's delivery tag, its claim's
--       token and its id
-- Returns for each job the number of its delivery, or why it must not run: 'lost' (another worker has its message),
-- 'duplicate' (it is being run by another message of it), 'missing', 'late' (past its deadline), 'poisoned' (it had its
-- attempts), 'paused' (its model is), or its terminal status.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local started_at_us = string.format('%.0f', now_us)
local words, ids, started = {}, {}, {}
local is_paused = redis.call('SISMEMBER', KEYS[4], ARGV[5]) == 1
-- First a command that frees: Redis lets a script that began so go on when its memory is full.
redis.call('ZREM', KEYS[2], '')

local function begin(tag, token, id)
  local job = ARGV[1] .. id
  local owner = redis.call('HGET', KEYS[1], tag)
  local status, delivery, attempt, run, message, created_at_us, expires_in_s = unpack(redis.call('HMGET', job,
    'status', 'delivery', 'attempt', 'run', 'message', 'created_at_us', 'expires_in_s'))
  if not status then
    return 'missing'
  elseif status ~= 'queued' and status ~= 'running' then
    return status
  elseif not owner or string.sub(owner, 1, #token + 1) ~= token .. ' ' then
    return 'lost'
  elseif run == ARGV[4] and message == tag then
    return delivery
  elseif status == 'running' and message ~= tag and redis.call('HEXISTS', KEYS[1], message) == 1 then
    return 'duplicate'
  elseif status == 'queued' and expires_in_s and now_us > created_at_us + expires_in_s * 1000000 then
    return 'late'
  elseif tonumber(attempt) >= tonumber(ARGV[3]) then
    return 'poisoned'
  elseif is_paused then
    return 'paused'
  end
  redis.call('HSET', job, 'status', 'running', 'delivery', delivery + 1, 'attempt', attempt + 1,
    'started_at_us', started_at_us, 'worker', ARGV[2], 'run', ARGV[4], 'message', tag)
  table.insert(ids, id)
  table.insert(started, started_at_us)
  table.insert(started, id)
  return tostring(delivery + 1)
end

for i = 6, #ARGV, 3 do
  table.insert(words, begin(ARGV[i], ARGV[i + 1], ARGV[i + 2]))
end
if #ids > 0 then
  redis.call('ZREM', KEYS[2], unpack(ids))
  redis.call('ZADD', KEYS[3], unpack(started))
end
return words

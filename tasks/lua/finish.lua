-- Give jobs of one model their terminal status, once. The only place where a job ends.
-- KEYS: 1 unfinished, 2 running, 3 finished, 4 deadlines, 5 quarantine, 6 input_bytes
-- ARGV: 1 start of job keys, 2 end of input keys, 3 end of result keys, 4 channel, 5 lifetime in s, 6 that in the
--       quarantine, 7 start of idempotency keys, then for each job: its id, status, the delivery that must still be the
--       job's (empty: any), the number of record fields and values, those in turn, the number of the result's parts and
--       bytes, those in turn
-- Returns for each job 'done', 'missing', 'stale' (it is with another worker), or the terminal status that it has.
local time = redis.call('TIME')
local now_us = string.format('%.0f', time[1] * 1000000 + time[2])
local words, ended, told, counts, freed_bytes = {}, {}, {}, {}, 0
-- First a command that frees: Redis lets a script that began so go on when its memory is full.
redis.call('ZREM', KEYS[2], '')

-- One that its workers died of is kept with its input, to be looked at; of all others the input is freed. Returns the
-- lifetime of its record.
local function keep_or_free(job, id, status)
  if status == 'failed' and redis.call('HGET', job, 'failure_type') == 'poisoned' then
    redis.call('ZADD', KEYS[5], now_us, id)
    redis.call('EXPIRE', job .. ARGV[2], ARGV[6])
    return ARGV[6]
  end
  redis.call('DEL', job .. ARGV[2])
  return ARGV[5]
end

local function finish(id, status, delivery, fields, parts, next)
  local job = ARGV[1] .. id
  local current = redis.call('HMGET', job, 'status', 'delivery', 'idempotency', 'input_bytes')
  if not current[1] then
    return 'missing'
  elseif current[1] ~= 'queued' and current[1] ~= 'running' then
    return current[1]
  elseif delivery ~= '' and delivery ~= current[2] then
    return 'stale'
  end
  redis.call('HSET', job, 'status', status, 'finished_at_us', now_us, unpack(ARGV, fields, parts - 2))
  local lifetime_s = keep_or_free(job, id, status)
  redis.call('EXPIRE', job, lifetime_s)
  if current[3] then
    redis.call('EXPIRE', ARGV[7] .. current[3], lifetime_s)
  end
  if next > parts then
    redis.call('HSET', job .. ARGV[3], unpack(ARGV, parts, next - 1))
    redis.call('EXPIRE', job .. ARGV[3], ARGV[5])
  end
  freed_bytes = freed_bytes + (current[4] or 0)
  table.insert(ended, id)
  counts[status] = (counts[status] or 0) + 1
  table.insert(told, id .. ' ' .. status)
  return 'done'
end

local i = 8
while i <= #ARGV do
  local fields = i + 4
  local parts = fields + ARGV[i + 3] + 1
  local next = parts + ARGV[parts - 1]
  table.insert(words, finish(ARGV[i], ARGV[i + 1], ARGV[i + 2], fields, parts, next))
  i = next
end
if #ended > 0 then
  redis.call('ZREM', KEYS[1], unpack(ended))
  redis.call('ZREM', KEYS[2], unpack(ended))
  redis.call('ZREM', KEYS[4], unpack(ended))
  redis.call('DECRBY', KEYS[6], freed_bytes)
  for status, count in pairs(counts) do
    redis.call('HINCRBY', KEYS[3], status, count)
  end
  redis.call('PUBLISH', ARGV[4], table.concat(told, '\n'))
end
return words

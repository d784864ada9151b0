-- Give jobs of one model their terminal status, once. The only place where a job ends.
-- KEYS: 1 unfinished, 2 running, 3 finished, 4 deadlines, 5 quarantine, 6 input_bytes, 7 callbacks that are due
-- ARGV: 1 start of job keys, 2 end of input keys, 3 end of result keys, 4 channel, 5 lifetime in s, 6 that in the
--       quarantine, 7 start of idempotency keys, 8 most bytes of inputs there, 9 end of callback keys, 10 start of the
--       key of an owner's callbacks that are due, then for each job: its id, status, the delivery that must still be
--       the job's (empty: any), the number of record fields and values, those in turn, the number of the result's parts
--       and bytes, those in turn
-- Returns for each job 'done', 'missing', 'stale' (it is with another worker), or the terminal status that it has.
local time = redis.call('TIME')
local now_us = string.format('%.0f', time[1] * 1000000 + time[2])
local words, ended, told, counts, freed_bytes = {}, {}, {}, {}, 0
-- Results of fewer bytes are always taken: they are about what records and messages free.
local SMALL_BYTES = 1048576
-- Where the first job stands in ARGV.
local FIRST = 11

-- Where a job's fields and parts begin, and where the next job does.
local function bounds(i)
  local parts = i + 5 + ARGV[i + 3]
  return i + 4, parts, parts + ARGV[parts - 1]
end

-- Whether the results take more memory than the inputs of their jobs free.
local function grows()
  local growth, i = -SMALL_BYTES, FIRST
  while i <= #ARGV do
    local _, parts, next = bounds(i)
    for part = parts, next - 1 do
      growth = growth + #ARGV[part]
    end
    i = next
  end
  i = FIRST
  while growth > 0 and i <= #ARGV do
    growth = growth - (redis.call('HGET', ARGV[1] .. ARGV[i], 'input_bytes') or 0)
    local _, _, next = bounds(i)
    i = next
  end
  return growth > 0
end

-- Redis lets a script whose first write frees go on when its memory is full. So jobs end then, and free their inputs,
-- but for those that would take more: that call is refused as a whole.
if not grows() then
  redis.call('ZREM', KEYS[2], '')
end

-- Keep the inputs that came last, the newest whatever its size.
local function trim_quarantine()
  local kept_bytes = 0
  for number, id in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1, 'REV')) do
    local input = ARGV[1] .. id .. ARGV[2]
    kept_bytes = kept_bytes + redis.call('STRLEN', input)
    if number > 1 and kept_bytes > tonumber(ARGV[8]) then
      redis.call('DEL', input)
    end
  end
end

-- One that its workers died of is kept with its input, to be looked at; of all others the input is freed. Returns the
-- lifetime of its record.
local function keep_or_free(job, id, status)
  if status == 'failed' and redis.call('HGET', job, 'failure_type') == 'poisoned' then
    redis.call('ZADD', KEYS[5], now_us, id)
    redis.call('EXPIRE', job .. ARGV[2], ARGV[6])
    trim_quarantine()
    return string.format('%.0f', math.max(ARGV[5], ARGV[6]))
  end
  redis.call('DEL', job .. ARGV[2])
  return ARGV[5]
end

-- Record that somebody is to be told of the end, and when: now.
local function call_back(job, id, lifetime_s)
  local index = ARGV[10] .. (redis.call('HGET', job, 'owner') or '')
  redis.call('HSET', job .. ARGV[9], 'status', 'due', 'number', 0, 'round', 0, 'due_at_us', now_us)
  redis.call('EXPIRE', job .. ARGV[9], lifetime_s)
  redis.call('ZADD', KEYS[7], now_us, id)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now_us)
  redis.call('ZADD', index, string.format('%.0f', now_us + lifetime_s * 1000000), id)
  redis.call('EXPIRE', index, string.format('%.0f', math.max(lifetime_s, redis.call('TTL', index))))
end

local function finish(id, status, delivery, fields, parts, next)
  local job = ARGV[1] .. id
  local current = redis.call('HMGET', job, 'status', 'delivery', 'idempotency', 'input_bytes', 'callback_url')
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
  if current[5] then
    call_back(job, id, lifetime_s)
  end
  freed_bytes = freed_bytes + (current[4] or 0)
  table.insert(ended, id)
  counts[status] = (counts[status] or 0) + 1
  table.insert(told, id .. ' ' .. status)
  return 'done'
end

local i = FIRST
while i <= #ARGV do
  local fields, parts, next = bounds(i)
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

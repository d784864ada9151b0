-- Record jobs of one queue and put their messages into it, in one step: after it the jobs are durable, before it nothing
-- is.
-- KEYS: 1 unfinished, 2 running, 3 deadlines, 4 the queue's list, 5 input_bytes, 6 owners of listings
-- ARGV: 1 event channel, 2 start of job keys, 3 end of input keys, 4 start of idempotency keys, 5 most queued jobs,
--       6 most bytes of input, 7 '1': the server's memory is full, else empty, 8 start of listing keys, then for each
--       job: its id, record (a JSON list of fields and values in turn), payload, message, event, expires_in_s (empty:
--       never), idempotency and request (see `tasks.job`; empty: none), owner
-- Submitting an id again changes nothing. Returns for each job, in order:
--   a number                  it is recorded; so many jobs of the model wait in front of it
--   {id, a number}            the same request came with this idempotency before, and is that job
--   'reused'                  another request came with this idempotency before; nothing is recorded
--   {'full', queued, bytes}   the model has so many jobs and bytes, and no room for it; nothing is recorded
--   'memory'                  the server's memory is full; nothing is recorded
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local created_at_us = string.format('%.0f', now_us)
local running = redis.call('ZCARD', KEYS[2])
local in_front = math.max(redis.call('ZCARD', KEYS[1]) - running, 0)
local input_bytes, added_bytes = tonumber(redis.call('GET', KEYS[5]) or 0), 0
local most_jobs, most_bytes = tonumber(ARGV[5]), tonumber(ARGV[6])
local entries, messages, outcomes, places, owners = {}, {}, {}, {}, {}

local function in_front_of(id)
  return places[id] or math.max((redis.call('ZRANK', KEYS[1], id) or 0) - running, 0)
end

-- What the job is that came before with this idempotency, or false.
local function repeated(idempotency, request)
  local id = redis.call('GET', ARGV[4] .. idempotency)
  local its_request = id and redis.call('HGET', ARGV[2] .. id, 'request')
  if its_request == request then
    return {id, in_front_of(id)}
  end
  return its_request and 'reused'
end

-- Why there is no room, or false. An input that is larger than a queue may hold is taken by one that holds none.
local function refusal(payload_bytes)
  local bytes = input_bytes + added_bytes
  if ARGV[7] == '1' then
    return 'memory'
  end
  return (in_front >= most_jobs or bytes > 0 and bytes + payload_bytes > most_bytes) and {'full', in_front, bytes}
end

for i = 9, #ARGV, 9 do
  local id, record, payload, message, event, expires_in_s, idempotency, request, owner = unpack(ARGV, i, i + 8)
  local job = ARGV[2] .. id
  local outcome = redis.call('EXISTS', job) == 1 and in_front_of(id)
  outcome = outcome or idempotency ~= '' and repeated(idempotency, request) or refusal(#payload)
  if not outcome then
    redis.call('HSET', job, 'created_at_us', created_at_us, 'input_bytes', #payload, unpack(cjson.decode(record)))
    redis.call('SET', job .. ARGV[3], payload)
    if expires_in_s ~= '' then
      redis.call('ZADD', KEYS[3], string.format('%.0f', now_us + expires_in_s * 1000000), id)
    end
    if idempotency ~= '' then
      redis.call('SET', ARGV[4] .. idempotency, id)
    end
    redis.call('XADD', ARGV[8] .. owner, '*', '', id)
    owners[owner] = true
    redis.call('PUBLISH', ARGV[1], event)
    entries[#entries + 1] = created_at_us
    entries[#entries + 1] = id
    messages[#messages + 1] = message
    outcome, places[id] = in_front, in_front
    in_front, added_bytes = in_front + 1, added_bytes + #payload
  end
  outcomes[#outcomes + 1] = outcome
end
if #messages > 0 then
  redis.call('ZADD', KEYS[1], unpack(entries))
  redis.call('LPUSH', KEYS[4], unpack(messages))
  redis.call('INCRBY', KEYS[5], added_bytes)
end
for owner in pairs(owners) do
  redis.call('HSETNX', KEYS[6], owner, '-')
end
return outcomes

-- What becomes of a callback: after an attempt, or because its client asks for another round.
-- KEYS: 1 its callback, 2 due, then its owner's callbacks that are 3 due, 4 accepted, 5 given up
-- ARGV: 1 the job's id, 2 the status, 3 in how many µs it is due then, 4 the attempt's number (empty: a new round begins),
--       5 the attempt's field, 6 what to write there
-- Returns 1, or 0: there is no record any more, or it is with a later attempt or round, or settled already.
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local indexes = {due = KEYS[3], accepted = KEYS[4], given_up = KEYS[5]}
local status, number, round = unpack(redis.call('HMGET', KEYS[1], 'status', 'number', 'round'))
if not status then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 0
end
if ARGV[4] ~= '' then
  if redis.call('HEXISTS', KEYS[1], ARGV[5]) == 1 then
    redis.call('HSET', KEYS[1], ARGV[5], ARGV[6])
  end
  -- Accepted is accepted, also when a later attempt is under way, or a round began after this one.
  local is_latest = number == ARGV[4] and round ~= ARGV[4]
  if status ~= 'due' or not (is_latest or ARGV[2] == 'accepted') then
    return 0
  end
else
  redis.call('HSET', KEYS[1], 'round', number)
end

if ARGV[2] == 'due' then
  local due_at_us = string.format('%.0f', now_us + ARGV[3])
  redis.call('HSET', KEYS[1], 'due_at_us', due_at_us)
  redis.call('ZADD', KEYS[2], due_at_us, ARGV[1])
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
if ARGV[2] ~= status then
  local here, there = indexes[status], indexes[ARGV[2]]
  local ends_us = redis.call('ZSCORE', here, ARGV[1])
  redis.call('HSET', KEYS[1], 'status', ARGV[2])
  redis.call('ZREM', here, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', there, '-inf', string.format('%.0f', now_us))
  if ends_us then
    redis.call('ZADD', there, ends_us, ARGV[1])
    redis.call('EXPIRE', there, math.max(redis.call('TTL', KEYS[1]), redis.call('TTL', there), 1))
  end
end
return 1

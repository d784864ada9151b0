-- A worker returns messages that it has not run, to where they came from and in their order.
-- KEYS: 1 unacked, 2 unacked_index, 3 leases, 4 owners, 5 holders
-- ARGV: 1 RPUSH to have them run next, LPUSH to have them run last, 2 number of holding lists, for each of those itself
--       and its list, then for each message, the latest first, its delivery tag and its claim's token
-- Returns how many messages were returned.
local first, returned = 3 + 2 * ARGV[2], 0
for i = first, #ARGV, 2 do
  local tag = ARGV[i]
  local owner, raw = redis.call('HGET', KEYS[4], tag), redis.call('HGET', KEYS[1], tag)
  if owner and raw and string.sub(owner, 1, #ARGV[i + 1] + 1) == ARGV[i + 1] .. ' ' then
    local length, list = string.match(owner, '^%S+ (%d+) (.*)$')
    redis.call('HDEL', KEYS[1], tag)
    redis.call('ZREM', KEYS[2], tag)
    redis.call('ZREM', KEYS[3], tag)
    redis.call('HDEL', KEYS[4], tag)
    redis.call(ARGV[1], list, string.sub(raw, 2, 1 + length))
    returned = returned + 1
  end
end
for i = 3, first - 1, 2 do
  while redis.call('LMOVE', ARGV[i], ARGV[i + 1], 'LEFT', 'RIGHT') do
    returned = returned + 1
  end
  redis.call('ZREM', KEYS[5], ARGV[i])
end
return returned

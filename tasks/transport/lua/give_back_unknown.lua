-- After a cut connection: messages that a worker has claimed without ever having read so go back to their lists.
-- KEYS: 1 unacked, 2 unacked_index, 3 leases, 4 owners, 5 holders
-- ARGV: 1 the worker's id, then the tags of the messages that it knows to have
-- Returns how many messages were returned.
local known, returned = {}, 0
for i = 2, #ARGV do
  known[ARGV[i]] = true
end
local owned = redis.call('HGETALL', KEYS[4])
for i = 1, #owned, 2 do
  local tag, owner = owned[i], owned[i + 1]
  local length, list = string.match(owner, '^%S+ (%d+) (.*)$')
  local entry = redis.call('HGET', KEYS[1], tag)
  if not known[tag] and entry and string.sub(owner, 1, #ARGV[1] + 1) == ARGV[1] .. ':' then
    redis.call('HDEL', KEYS[1], tag)
    redis.call('ZREM', KEYS[2], tag)
    redis.call('ZREM', KEYS[3], tag)
    redis.call('HDEL', KEYS[4], tag)
    redis.call('RPUSH', list, string.sub(entry, 2, 1 + length))
    returned = returned + 1
  end
end
return returned

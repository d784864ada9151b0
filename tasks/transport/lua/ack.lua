-- Messages are done with: drop them. One that was claimed anew meanwhile is left to its new owner.
-- KEYS: 1 unacked, 2 unacked_index, 3 leases, 4 owners
-- ARGV: for each message its delivery tag and the token of its claim
local tags = {}
for i = 1, #ARGV, 2 do
  local owner = redis.call('HGET', KEYS[4], ARGV[i])
  if owner and string.sub(owner, 1, #ARGV[i + 1] + 1) == ARGV[i + 1] .. ' ' then
    table.insert(tags, ARGV[i])
  end
end
if #tags > 0 then
  redis.call('HDEL', KEYS[1], unpack(tags))
  redis.call('ZREM', KEYS[2], unpack(tags))
  redis.call('ZREM', KEYS[3], unpack(tags))
  redis.call('HDEL', KEYS[4], unpack(tags))
end
return #tags

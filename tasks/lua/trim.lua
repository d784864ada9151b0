-- Drop entries of an owner's listing whose records are gone, and the listing with the last of them.
-- KEYS: 1 listing, 2 owners of listings
-- ARGV: 1 owner, 2 start of job keys, 3 ms since 1970: younger records are not gone yet, 4 most entries to look at
-- Returns how many entries were looked at, and how many were dropped.
-- First a command that frees: Redis lets a script that began so go on when its memory is full.
redis.call('XDEL', KEYS[1], '0-1')
local from = redis.call('HGET', KEYS[2], ARGV[1]) or '-'
local entries = redis.call('XRANGE', KEYS[1], from, ARGV[3], 'COUNT', ARGV[4])
local gone = {}
for _, entry in ipairs(entries) do
  if redis.call('EXISTS', ARGV[2] .. entry[2][2]) == 0 then
    table.insert(gone, entry[1])
  end
end
if #gone > 0 then
  redis.call('XDEL', KEYS[1], unpack(gone))
end
if redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[2], ARGV[1], #entries < tonumber(ARGV[4]) and '-' or '(' .. entries[#entries][1])
end
return {#entries, #gone}

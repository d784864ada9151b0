-- Find jobs in an owner's listing, the newest first. Writes nothing.
-- KEYS: 1 listing
-- ARGV: 1 start of job keys, 2 where to begin, as XREVRANGE has it, 3 most entries to look at, 4 most jobs to find,
--       5 model, 6 status, 7 tag (each empty: any)
-- Returns the entry that was looked at last, empty when it was the oldest of all, and the ids of the jobs found.
local entries = redis.call('XREVRANGE', KEYS[1], ARGV[2], '-', 'COUNT', ARGV[3])
local is_rest, found = #entries < tonumber(ARGV[3]), {}

local function fits(id)
  local model, status, tag = unpack(redis.call('HMGET', ARGV[1] .. id, 'model', 'status', 'tag'))
  return model and (ARGV[5] == '' or ARGV[5] == model) and (ARGV[6] == '' or ARGV[6] == status)
    and (ARGV[7] == '' or ARGV[7] == tag)
end

for number, entry in ipairs(entries) do
  if fits(entry[2][2]) then
    table.insert(found, entry[2][2])
  end
  if #found == tonumber(ARGV[4]) and not (is_rest and number == #entries) then
    return {entry[1], found}
  end
end
return {is_rest and '' or entries[#entries][1], found}

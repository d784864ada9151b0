-- A worker looks at jobs whose messages it has claimed, and gets what is needed to run them. Writes nothing.
-- KEYS: 1 owners (see tasks.transport)
-- ARGV: 1 start of job keys, 2 end of input keys, 3 the worker's model, 4 most bytes of input, then for each job its
--       message's delivery tag, its claim's token, and its id
-- Returns an answer for each job, or for the first ones when the inputs of more would be too large: {'lost'} (another
-- worker has the message), {'missing'}, {'foreign'} (another model's job), {a terminal status}, or {'taken', the fields
-- asked for below, input}.
local answers, bytes = {}, 0

local function take(tag, token, id)
  local owner = redis.call('HGET', KEYS[1], tag)
  if not owner or string.sub(owner, 1, #token + 1) ~= token .. ' ' then
    return {'lost'}
  end
  local job, input = ARGV[1] .. id, ARGV[1] .. id .. ARGV[2]
  local stored = redis.call('HMGET', job, 'status', 'model', 'attempt', 'version', 'pinned', 'content_type', 'rows',
    'min_score', 'annotate', 'signature', 'max_detections')
  local status, model = stored[1], stored[2]
  if not status then
    return {'missing'}
  elseif model ~= ARGV[3] then
    return {'foreign'}
  elseif status ~= 'queued' and status ~= 'running' then
    return {status}
  end
  local length = redis.call('STRLEN', input)
  if bytes > 0 and bytes + length > tonumber(ARGV[4]) then
    return nil
  end
  bytes = bytes + length
  return {'taken', stored[3], stored[4], stored[5], stored[6], stored[7], stored[8], stored[9], stored[10],
    stored[11], redis.call('GET', input)}
end

for i = 5, #ARGV, 3 do
  local answer = take(ARGV[i], ARGV[i + 1], ARGV[i + 2])
  if not answer then
    break
  end
  table.insert(answers, answer)
end
return answers

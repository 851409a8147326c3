"""Lua scripts that Redis runs atomically: publish, open, mend, read fields, and a trial write."""

# The end of the history as Redis knows it; a history begins here when there is none. A stream
# trimmed to nothing keeps its last id, so an empty history still knows its epoch. `sound` is false when
# another program has written last: the next id would not be the lab's.
TOP = """
local function begin(key, after)
  local now = redis.call('TIME')
  local epoch = math.max(now[1] * 1000 + math.floor(now[2] / 1000), after + 1)
  redis.call('XADD', key, 'MAXLEN', '=', '0', string.format('%.0f-0', epoch), 'begin', '1')
  return string.format('%.0f', epoch), '0', true
end
local function epoch_of(entry) return string.match(entry[1], '%d+') end
local function is_message(entry)
  local has = {}
  for i = 1, #entry[2], 2 do has[entry[2][i]] = true end
  return has.mid and has.username and has.body and has.time and not string.find(entry[1], '%-0$')
end
local function top(key, after)
  if redis.call('EXISTS', key) == 0 then return begin(key, after) end
  local info, about = redis.call('XINFO', 'STREAM', key), {}
  for i = 1, #info, 2 do about[info[i]] = info[i + 1] end
  local id, first, last = about['last-generated-id'], about['first-entry'], about['last-entry']
  local epoch, n = string.match(id, '(%d+)%-(%d+)')
  local sound = #epoch < 15 and #n < 16
  if last then sound = sound and last[1] == id and epoch_of(first) == epoch and is_message(last) end
  return epoch, n, sound
end
local function newest(key, count) return redis.call('XREVRANGE', key, '+', '-', 'COUNT', count) end
"""

# KEYS: stream, mid · ARGV: mid, username, body, time, epoch and n known, seconds to remember the mid, kept
# A history that ends before the last place known is an old copy, and would give known ids to other messages.
PUBLISH = f"""{TOP}
local known = redis.pcall('GET', KEYS[2])
local e, k = string.match(type(known) == 'string' and known or '', '^(%d+)%-(%d+)$')
if e and #e < 16 and #k < 16 then return {{known, 1}} end
local epoch, n, sound = top(KEYS[1], ARGV[5])
local behind = tonumber(epoch) - tonumber(ARGV[5])
if not sound or behind < 0 or behind == 0 and tonumber(n) < tonumber(ARGV[6]) then return {{'', 2}} end
local id = epoch .. '-' .. string.format('%.0f', n + 1)
redis.call('XADD', KEYS[1], 'MAXLEN', '=', ARGV[8], id,
  'mid', ARGV[1], 'username', ARGV[2], 'body', ARGV[3], 'time', ARGV[4])
-- Remove an expiry that another program has set: acknowledged messages must stay. Not before XADD: a Redis
-- without memory refuses no command of a script that has already written.
redis.call('PERSIST', KEYS[1])
redis.call('SET', KEYS[2], id, 'EX', ARGV[7])
return {{id, 0}}
"""
STORED, REPEATED, DOUBTFUL = range(3)
"""Outcome of a publish, with the id; doubtful: nothing is stored, the history must first be repaired."""

# KEYS: stream · ARGV: last epoch known, how many of the newest entries to read
OPEN = f"""{TOP}
local epoch, n = top(KEYS[1], ARGV[1])
return {{epoch .. '-' .. n, newest(KEYS[1], ARGV[2])}}
"""

# KEYS: stream · ARGV: the epoch of the messages to keep, how, where the history then ends, kept, read, most
# fields, and the ids to leave out. "renew" gives what is kept new ids, in a history that is later than the
# epoch in the place of the end. When there are only other messages, another lab was faster: nothing is done.
MEND = f"""{TOP}
local leave, keep, others = {{}}, {{}}, 0
for i = 7, #ARGV do leave[ARGV[i]] = true end
if redis.call('EXISTS', KEYS[1]) == 0 then return end
for _, entry in ipairs(newest(KEYS[1], ARGV[5])) do
  if #entry[2] <= 2 * ARGV[6] and is_message(entry) and not leave[entry[1]] then
    if epoch_of(entry) ~= ARGV[1] then others = others + 1
    elseif #keep < tonumber(ARGV[4]) then table.insert(keep, 1, entry) end
  end
end
if #keep == 0 and others > 0 then return end
redis.call('DEL', KEYS[1])
local epoch = ARGV[2] == 'renew' and begin(KEYS[1], ARGV[3])
for n, entry in ipairs(keep) do
  redis.call('XADD', KEYS[1], epoch and epoch .. '-' .. n or entry[1], unpack(entry[2]))
end
if #keep == 0 and not epoch then redis.call('XADD', KEYS[1], 'MAXLEN', '=', '0', ARGV[3], 'begin', '1') end
"""

# KEYS: hash · ARGV: the most bytes of a field, and the fields to read; a longer one is returned empty
FIELDS = """
local found = {}
for i = 2, #ARGV do
  local size = redis.call('HSTRLEN', KEYS[1], ARGV[i])
  local fits = size <= tonumber(ARGV[1])
  found[i - 1] = size > 0 and (fits and redis.call('HGET', KEYS[1], ARGV[i]) or '')
end
return found
"""

# KEYS: a key of its own
WRITE = "redis.call('SET', KEYS[1], '1') redis.call('DEL', KEYS[1])"

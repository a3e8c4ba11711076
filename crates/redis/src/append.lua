-- Writes an entry once for each key.
-- KEYS: the stream, its limits, the memory of the key.
-- ARGV: the tag of this try, the milliseconds for which the key is remembered, names and values.
local was = redis.call('GET', KEYS[3])
if was then
    -- A write, so that WAIT on this connection waits for the entry, too.
    redis.pcall('PEXPIRE', KEYS[3], ARGV[2])
    return was
end
local limits = redis.call('HMGET', KEYS[2], 'entries', 'age', 'last')
local entries, age = tonumber(limits[1]), tonumber(limits[2])
if not entries or not age then
    return redis.error_reply('NOSTREAM the stream was not created')
end
-- An entry whose key is not remembered would be written again by the next try.
if not redis.acl_check_cmd('SET', KEYS[3], '') then
    return redis.error_reply('NOPERM the key of a publication may not be set')
end
local id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', limits[1], '*', unpack(ARGV, 3))
if not id then
    return redis.error_reply('NOSTREAM the stream is not there')
end
local written = id .. ' ' .. ARGV[1]
redis.call('SET', KEYS[3], written, 'PX', ARGV[2])
-- The entry is there whatever becomes of the rest. Age by the engine's clock. The entry before this
-- one stays, so that who has read up to it sees that nothing is missing.
local ms = tonumber(string.match(id, '^%d+'))
local oldest = math.min(ms - age, tonumber(limits[3]) or ms)
if oldest > 0 then
    redis.pcall('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', oldest))
end
redis.pcall('HSET', KEYS[2], 'last', string.format('%.0f', ms))
return written

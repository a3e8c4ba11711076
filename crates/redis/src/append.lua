-- Writes an entry once for each key.
-- KEYS: the stream, its limits, the memory of the key.
-- ARGV: the draw of this try, the milliseconds for which the key is remembered, names and values.
local was = redis.call('GET', KEYS[3])
if was then
    -- A write, so that WAIT on this connection waits for the entry, too.
    redis.call('PEXPIRE', KEYS[3], ARGV[2])
    return was
end
local limits = redis.call('HMGET', KEYS[2], 'entries', 'age', 'last')
if not limits[1] then
    return redis.error_reply('NOSTREAM the stream was not created')
end
local id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', limits[1], '*', unpack(ARGV, 3))
if not id then
    return redis.error_reply('NOSTREAM the stream is not there')
end
-- Age by the engine's clock. The entry before this one stays, so that who has read up to it sees
-- that nothing is missing.
local ms = tonumber(string.match(id, '^%d+'))
local oldest = math.min(ms - tonumber(limits[2]), tonumber(limits[3] or ms))
if oldest > 0 then
    redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', oldest))
end
redis.call('HSET', KEYS[2], 'last', string.format('%.0f', ms))
local written = id .. ' ' .. ARGV[1]
redis.call('SET', KEYS[3], written, 'PX', ARGV[2])
return written

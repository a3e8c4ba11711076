-- Makes an empty stream, and writes its limits and its mark beside it.
-- KEYS: the stream, its limits. ARGV: names and values.
if redis.call('EXISTS', KEYS[1]) == 1 then
    return redis.error_reply('EXISTS the stream is there')
end
redis.call('XGROUP', 'CREATE', KEYS[1], 'sse-proto', '$', 'MKSTREAM')
redis.call('XGROUP', 'DESTROY', KEYS[1], 'sse-proto')
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], unpack(ARGV))
return 1

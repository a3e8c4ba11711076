-- Reads a part of a stream, and what the stream is, in one moment.
-- KEYS: the stream, its limits. ARGV: the command, from, to, the most entries.
return {
    redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3], 'COUNT', ARGV[4]),
    redis.call('XINFO', 'STREAM', KEYS[1]),
    redis.call('HGET', KEYS[2], 'mark')
}

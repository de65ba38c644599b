-- Reads the position of a stream and, when asked, its entries. A stream that never was gets an epoch.
-- KEYS: 1 stream, 2 meta
-- ARGV: 1 "1" to include entries, 2 first offset (0: from the end that the order begins with), 3 limit (0: none),
--       4 "1" for newest first, 5 life of meta in seconds (0: for ever), 6 epoch for a new stream
-- Result: {top offset, epoch} and the entries
local meta = redis.call("HMGET", KEYS[2], "e", "s")
local epoch = meta[1]
local top = meta[2] or "0"
if not epoch then
    epoch = ARGV[6]
    top = "0"
    redis.call("HSET", KEYS[2], "e", epoch)
end
if ARGV[5] ~= "0" then
    -- A Redis that refuses to write, with its disk full, can still be read.
    redis.pcall("EXPIRE", KEYS[2], ARGV[5])
end
if ARGV[1] ~= "1" then
    return {top, epoch}
end

local range
if ARGV[4] == "1" then
    local from = ARGV[2]
    if from == "0" then
        from = top
    end
    range = {"XREVRANGE", KEYS[1], from, "-"}
else
    range = {"XRANGE", KEYS[1], ARGV[2], "+"}
end
if ARGV[3] ~= "0" then
    range[5] = "COUNT"
    range[6] = ARGV[3]
end
return {top, epoch, redis.call(unpack(range))}

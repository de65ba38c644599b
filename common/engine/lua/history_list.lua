-- Reads the position of a list and, when asked, its items, newest first. A list that never was gets an epoch.
-- KEYS: 1 list, 2 meta
-- ARGV: 1 "1" to include items, 2 right bound, 3 life of meta in seconds (0: for ever), 4 epoch for a new list
-- Result: {top offset, epoch} and the items
local meta = redis.call("HMGET", KEYS[2], "e", "s")
local epoch = meta[1]
local top = meta[2] or "0"
if not epoch then
    epoch = ARGV[4]
    top = "0"
    redis.call("HSET", KEYS[2], "e", epoch)
end
if ARGV[3] ~= "0" then
    -- A Redis that refuses to write, with its disk full, can still be read.
    redis.pcall("EXPIRE", KEYS[2], ARGV[3])
end
if ARGV[1] ~= "1" then
    return {top, epoch}
end
return {top, epoch, redis.call("LRANGE", KEYS[1], 0, ARGV[2])}

-- Publishes once per idempotency key, for a channel without history.
-- KEYS: 1 result
-- ARGV: 1 payload, 2 PUB/SUB channel or "", 3 publish command, 4 life of the result in seconds
-- Result: nil when published, {nil, ""} when the key was used before.
local known = redis.call("HMGET", KEYS[1], "e", "s")
if known[1] then
    return {known[2], known[1]}
end

-- First: a Redis that refuses to write (out of memory, disk full, a replica) publishes all the same, and would do so again
-- when the call is repeated.
redis.call("HSET", KEYS[1], "e", "")
redis.call("EXPIRE", KEYS[1], ARGV[4])
if ARGV[2] ~= "" then
    local sent = redis.pcall(ARGV[3], ARGV[2], ARGV[1])
    if type(sent) == "table" and sent.err then
        redis.call("DEL", KEYS[1])
        return sent
    end
end
return false

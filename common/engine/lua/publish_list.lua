-- Adds a publication to the list of a channel and publishes it with its position.
-- KEYS: 1 list, 2 meta, 3 idempotency result
-- ARGV: 1 payload, 2 size of the list less one, 3 its life in seconds, 4 PUB/SUB channel or "", 5 life of meta in seconds
--       (0: for ever), 6 epoch for a new list, 7 publish command, 8 life of the result in seconds ("": no idempotency key),
--       9 "1" for delta, 10 and 11 version and its epoch, which lists do not keep
-- Result: {offset, epoch, "1" when the key was used before}
if ARGV[8] ~= "" then
    local known = redis.call("HMGET", KEYS[3], "e", "s")
    if known[1] then
        return {known[2], known[1], "1"}
    end
end

local epoch = redis.call("HGET", KEYS[2], "e")
if not epoch then
    epoch = ARGV[6]
    redis.call("HSET", KEYS[2], "e", epoch)
end

local offset = redis.call("HINCRBY", KEYS[2], "s", 1)
if ARGV[5] ~= "0" then
    redis.call("EXPIRE", KEYS[2], ARGV[5])
end

local previous = ""
if ARGV[9] == "1" then
    -- An item carries its position before the payload; a receiver of the delta frame expects the payload alone.
    local item = redis.call("LINDEX", KEYS[1], 0)
    if item then
        local _, head_end = string.find(item, "__", 3, true)
        if head_end then
            previous = string.sub(item, head_end + 1)
        end
    end
end

local position = string.format("%.0f", offset) .. ":" .. epoch
local framed = "__p1:" .. position .. "__" .. ARGV[1]
local added = redis.pcall("LPUSH", KEYS[1], framed)
if type(added) == "table" and added.err then
    redis.call("HINCRBY", KEYS[2], "s", "-1")
    return added
end

if ARGV[4] ~= "" then
    if ARGV[9] == "1" then
        framed = "__d1:" .. position .. ":" .. #previous .. ":" .. previous .. ":" .. #ARGV[1] .. ":" .. ARGV[1]
    end
    local sent = redis.pcall(ARGV[7], ARGV[4], framed)
    if type(sent) == "table" and sent.err then
        -- As if nothing had been: the call will be repeated.
        redis.call("LPOP", KEYS[1])
        redis.call("HINCRBY", KEYS[2], "s", "-1")
        return sent
    end
end
redis.call("LTRIM", KEYS[1], 0, ARGV[2])
redis.call("EXPIRE", KEYS[1], ARGV[3])

if ARGV[8] ~= "" then
    redis.call("HSET", KEYS[3], "e", epoch, "s", string.format("%.0f", offset))
    redis.call("EXPIRE", KEYS[3], ARGV[8])
end
return {offset, epoch, "0"}

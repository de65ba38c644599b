-- Adds a publication to the stream of a channel and publishes it with its position.
-- KEYS: 1 stream, 2 meta, 3 idempotency result
-- ARGV: 1 payload, 2 size of the stream, 3 its life in seconds, 4 PUB/SUB channel or "", 5 life of meta in seconds (0: for ever),
--       6 epoch for a new stream, 7 publish command, 8 life of the result in seconds ("": no idempotency key), 9 "1" for delta,
--       10 version (0: none), 11 version epoch
-- Result: {offset, epoch, "1" when the key was used before, "1" when the version is not new}
if ARGV[8] ~= "" then
    local known = redis.call("HMGET", KEYS[3], "e", "s")
    if known[1] then
        return {known[2], known[1], "1", "0"}
    end
end

-- Asked in advance where that is possible (Redis 7.0 and later): what is published cannot be undone in Redis 8 and Valkey,
-- whose streams do not go back behind an entry that they had.
if ARGV[4] ~= "" and redis.acl_check_cmd and not redis.acl_check_cmd(ARGV[7], ARGV[4], "") then
    return redis.error_reply("NOPERM No permissions to publish to the channel")
end

local epoch = redis.call("HGET", KEYS[2], "e")
if not epoch then
    epoch = ARGV[6]
    redis.call("HSET", KEYS[2], "e", epoch)
end

if ARGV[10] ~= "0" then
    local last = redis.call("HMGET", KEYS[2], "v", "ve", "s")
    local same_order = ARGV[11] == "" or ARGV[11] == last[2]
    if last[1] and same_order and tonumber(last[1]) >= tonumber(ARGV[10]) then
        return {last[3] or "0", epoch, "0", "1"}
    end
end

local offset = redis.call("HINCRBY", KEYS[2], "s", 1)
if ARGV[5] ~= "0" then
    redis.call("EXPIRE", KEYS[2], ARGV[5])
end

local previous = ""
if offset == 1 then
    -- What is left belongs to an epoch that is gone.
    redis.call("DEL", KEYS[1])
elseif ARGV[9] == "1" then
    local newest = redis.call("XREVRANGE", KEYS[1], "+", "-", "COUNT", "1")
    if newest[1] then
        local fields = newest[1][2]
        for i = 1, #fields, 2 do
            if fields[i] == "d" then
                previous = fields[i + 1]
            end
        end
    end
end

-- Concatenation would write a large offset with an exponent.
local position = string.format("%.0f", offset) .. ":" .. epoch
local added = redis.pcall("XADD", KEYS[1], "MAXLEN", ARGV[2], string.format("%.0f", offset), "d", ARGV[1])
if type(added) == "table" and added.err then
    -- Unless the stream is ahead of the counter, which catches up with it so.
    if not string.find(added.err, "equal or smaller", 1, true) then
        redis.call("HINCRBY", KEYS[2], "s", "-1")
    end
    return added
end
redis.call("EXPIRE", KEYS[1], ARGV[3])

if ARGV[4] ~= "" then
    local frame
    if ARGV[9] == "1" then
        frame = "__d1:" .. position .. ":" .. #previous .. ":" .. previous .. ":" .. #ARGV[1] .. ":" .. ARGV[1]
    else
        frame = "__p1:" .. position .. "__" .. ARGV[1]
    end
    local sent = redis.pcall(ARGV[7], ARGV[4], frame)
    if type(sent) == "table" and sent.err then
        -- As if nothing had been: the call will be repeated.
        redis.call("XDEL", KEYS[1], added)
        redis.call("XSETID", KEYS[1], string.format("%.0f", offset - 1) .. "-0")
        redis.call("HINCRBY", KEYS[2], "s", "-1")
        return sent
    end
end

if ARGV[10] ~= "0" then
    redis.call("HSET", KEYS[2], "v", ARGV[10], "ve", ARGV[11])
end
if ARGV[8] ~= "" then
    redis.call("HSET", KEYS[3], "e", epoch, "s", string.format("%.0f", offset))
    redis.call("EXPIRE", KEYS[3], ARGV[8])
end
return {offset, epoch, "0", "0"}

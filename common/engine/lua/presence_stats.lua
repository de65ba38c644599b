-- Counts the clients and users of a channel, after those that expired were removed.
-- KEYS: 1 expiry of clients, 2 data of clients, 3 expiry of users, 4 clients per user
-- ARGV: 1 now in Unix seconds, 2 "1" when fields expire by themselves
-- Result: {clients, users}
local function clean(expiry, data)
    for _, member in ipairs(redis.call("ZRANGEBYSCORE", expiry, "0", ARGV[1])) do
        redis.call("HDEL", data, member)
    end
    redis.call("ZREMRANGEBYSCORE", expiry, "0", ARGV[1])
end

if ARGV[2] == "0" then
    clean(KEYS[1], KEYS[2])
    clean(KEYS[3], KEYS[4])
end
return {redis.call("HLEN", KEYS[2]), redis.call("HLEN", KEYS[4])}

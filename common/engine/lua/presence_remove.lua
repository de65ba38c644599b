-- Removes one client of a channel.
-- KEYS: 1 expiry of clients, 2 data of clients, 3 expiry of users, 4 clients per user
-- ARGV: 1 client, 2 user, 3 "1" to count users, 4 "1" when fields expire by themselves
-- Result: nil
local existed = redis.call("HDEL", KEYS[2], ARGV[1]) == 1
if ARGV[4] == "0" then
    redis.call("ZREM", KEYS[1], ARGV[1])
end
if ARGV[3] ~= "0" and existed then
    if redis.call("HINCRBY", KEYS[4], ARGV[2], -1) <= 0 then
        if ARGV[4] == "0" then
            redis.call("ZREM", KEYS[3], ARGV[2])
        end
        redis.call("HDEL", KEYS[4], ARGV[2])
    end
end
return false

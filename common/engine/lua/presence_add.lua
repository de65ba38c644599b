-- Adds or refreshes one client of a channel.
-- KEYS: 1 expiry of clients, 2 data of clients, 3 expiry of users, 4 clients per user
-- ARGV: 1 life in seconds, 2 time of expiry in Unix seconds, 3 client, 4 its info, 5 user, 6 "1" to count users,
--       7 "1" when fields expire by themselves
-- Result: nil
local is_new = ARGV[6] ~= "0" and redis.call("HEXISTS", KEYS[2], ARGV[3]) == 0

local function keep(expiry, data, member)
    redis.call("EXPIRE", data, ARGV[1])
    if ARGV[7] == "0" then
        redis.call("ZADD", expiry, ARGV[2], member)
        redis.call("EXPIRE", expiry, ARGV[1])
    else
        redis.call("HEXPIRE", data, ARGV[1], "FIELDS", "1", member)
    end
end

redis.call("HSET", KEYS[2], ARGV[3], ARGV[4])
keep(KEYS[1], KEYS[2], ARGV[3])
if ARGV[6] ~= "0" then
    if is_new then
        redis.call("HINCRBY", KEYS[4], ARGV[5], 1)
    end
    keep(KEYS[3], KEYS[4], ARGV[5])
end
return false

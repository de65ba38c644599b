-- Reads the clients of a channel, after those that expired were removed.
-- KEYS: 1 expiry of clients, 2 data of clients
-- ARGV: 1 now in Unix seconds, 2 "1" when fields expire by themselves
-- Result: client, info, client, info ...
if ARGV[2] == "0" then
    for _, client in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "0", ARGV[1])) do
        redis.call("HDEL", KEYS[2], client)
    end
    redis.call("ZREMRANGEBYSCORE", KEYS[1], "0", ARGV[1])
end
return redis.call("HGETALL", KEYS[2])

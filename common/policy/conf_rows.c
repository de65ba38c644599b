/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the configuration file, but for those of namespaces. */
#include "common/policy/conf_schema.h"

#define ROW(k, p, m)                                              \
    .path = (p), .kind = (k), .offset = offsetof(struct conf, m), \
    .size = sizeof(((struct conf *)NULL)->m)

static const struct conf_word log_levels[] = {
    {"info", LOG_LEVEL_INFO},   {"none", LOG_LEVEL_NONE},
    {"trace", LOG_LEVEL_TRACE}, {"debug", LOG_LEVEL_DEBUG},
    {"warn", LOG_LEVEL_WARN},   {"error", LOG_LEVEL_ERROR},
    {"fatal", LOG_LEVEL_FATAL}, {0}};
static const struct conf_word data_formats[] = {{"", DATA_FORMAT_ANY},
                                                {"json", DATA_FORMAT_JSON},
                                                {"json_object", DATA_FORMAT_JSON_OBJECT},
                                                {"binary", DATA_FORMAT_BINARY},
                                                {0}};
static const struct conf_word engine_types[] = {{"redis", 0}, {"memory", 0}, {0}};
static const struct conf_word error_modes[] = {{"", false}, {"transport", true}, {0}};
static const struct conf_word batch_sends[] = {
    {"auto", BATCH_SEND_AUTO}, {"io_uring", BATCH_SEND_IO_URING}, {"send", BATCH_SEND_SEND}, {0}};
static const struct conf_word session_sources[] = {{"variable", SESSION_VARIABLE},
                                                   {"jwt_cookie", SESSION_JWT_COOKIE},
                                                   {"redis_cookie", SESSION_REDIS_COOKIE},
                                                   {0}};
static const struct conf_word channel_claims[] = {
    {"subscriptions", false}, {"permission", true}, {0}};

/* Both kinds of tokens have the same keys. */
#define TOKEN_ROWS(prefix, m)                                                                     \
    {ROW(CONF_STRING, prefix ".hmac_secret_key", m.hmac_secret_key), .flags = CONF_SECRET,        \
     .help = "Key of tokens signed with HS256, HS384 or HS512."},                                 \
        {ROW(CONF_STRING, prefix ".hmac_previous_secret_key", m.hmac_previous_secret_key),        \
         .flags = CONF_SECRET,                                                                    \
         .help = "Key that is accepted as well, while keys are being changed."},                  \
        {ROW(CONF_INT, prefix ".hmac_previous_secret_key_valid_until",                            \
             m.hmac_previous_secret_key_valid_until),                                             \
         .help =                                                                                  \
             "Unix time in seconds at which the previous key stops being accepted; 0 is never."}, \
        {ROW(CONF_STRING, prefix ".rsa_public_key", m.rsa_public_key),                            \
         .help = "PEM public key of tokens signed with RS256, RS384 or RS512."},                  \
        {ROW(CONF_STRING, prefix ".ecdsa_public_key", m.ecdsa_public_key),                        \
         .help = "PEM public key of tokens signed with ES256, ES384 or ES512."},                  \
        {ROW(CONF_STRING, prefix ".jwks_public_endpoint", m.jwks_public_endpoint),                \
         .flags = CONF_URL,                                                                       \
         .help = "URL of a JSON Web Key Set, whose keys are used instead of those above."},       \
        {ROW(CONF_BOOL, prefix ".insecure_skip_jwks_endpoint_safety_check",                       \
             m.insecure_skip_jwks_endpoint_safety_check),                                         \
         .help = "Let groups in jwks_public_endpoint be any pattern, not lists of texts only."},  \
        {ROW(CONF_STRING, prefix ".audience", m.audience),                                        \
         .help = "Audience that tokens have to name."},                                           \
        {ROW(CONF_STRING, prefix ".audience_regex", m.audience_regex),                            \
         .help = "Regular expression for the audience, instead of audience."},                    \
        {ROW(CONF_STRING, prefix ".issuer", m.issuer),                                            \
         .help = "Issuer that tokens have to name."},                                             \
        {ROW(CONF_STRING, prefix ".issuer_regex", m.issuer_regex),                                \
         .help = "Regular expression for the issuer, instead of issuer."},                        \
    {                                                                                             \
        ROW(CONF_STRING, prefix ".user_id_claim", m.user_id_claim),                               \
            .help = "Claim that holds the user id, instead of sub: a string or an integer."       \
    }

static const struct conf_row rows[] = {
    {ROW(CONF_ENUM, "log.level", log.level), .def = "info", .words = log_levels, .flags = CONF_SOFT,
     .help = "Lines below this level are not written."},
    {ROW(CONF_STRING, "log.file", log.file),
     .help = "File that lines are appended to, instead of standard error."},
    {ROW(CONF_STRING, "node.name", node.name),
     .help = "Name of this node in info; unset is the host name, _ and http_server.port."},
    {ROW(CONF_DURATION, "node.info_metrics_aggregate_interval",
         node.info_metrics_aggregate_interval_ms),
     .def = "60s", .help = "How often the figures in info are renewed."},
    {ROW(CONF_STRING, "http_server.address", http_server.address),
     .help = "Belongs to the web server in front; pushd does not listen there."},
    {ROW(CONF_INT, "http_server.port", http_server.port), .def = "8000", .max = 65535,
     .help = "Belongs to the web server in front; pushd uses it in the default of node.name only."},
    {ROW(CONF_DURATION, "shutdown.timeout", shutdown.timeout_ms), .def = "30s",
     .help = "After this time a shutdown does not wait for clients any longer."},
    {ROW(CONF_STRING, "pid_file", pid_file),
     .help = "File that gets the process id of pushd, readable by its owner, and is removed at the "
             "end; one that root wrote stays where pushd.user takes the right to remove it."},

    {ROW(CONF_STRINGS, "client.allowed_origins", client.allowed_origins),
     .help = "Patterns of the origins whose pages may connect; * is all of them, empty is none."},
    TOKEN_ROWS("client.token", client.token),
    {ROW(CONF_BOOL, "client.subscription_token.enabled", client.subscription_token.enabled),
     .help = "Check subscription tokens with the keys below client.subscription_token only."},
    TOKEN_ROWS("client.subscription_token", client.subscription_token),
    {ROW(CONF_BOOL, "client.allow_anonymous_connect_without_token",
         client.allow_anonymous_connect_without_token),
     .help = "Connections without a token get the empty user id."},
    {ROW(CONF_BOOL, "client.disallow_anonymous_connection_tokens",
         client.disallow_anonymous_connection_tokens),
     .help = "Refuse connection tokens with an empty user id."},
    {ROW(CONF_DURATION, "client.ping_interval", client.ping_interval_ms), .def = "25s",
     .min = INT64_MIN,
     .help = "How often the server pings a client; negative is never, and pong_timeout has to be "
             "smaller still."},
    {ROW(CONF_DURATION, "client.pong_timeout", client.pong_timeout_ms), .def = "8s",
     .min = INT64_MIN,
     .help =
         "How long a pong may take; less than ping_interval. Negative: pongs are not waited for."},
    {ROW(CONF_DURATION, "client.expired_close_delay", client.expired_close_delay_ms), .def = "25s",
     .help = "How long an expired connection may take to refresh its token."},
    {ROW(CONF_DURATION, "client.expired_sub_close_delay", client.expired_sub_close_delay_ms),
     .def = "25s", .help = "How long an expired subscription may take to refresh its token."},
    {ROW(CONF_DURATION, "client.stale_close_delay", client.stale_close_delay_ms), .def = "10s",
     .help = "A connection that has not sent a valid connect command by then is closed."},
    {ROW(CONF_INT, "client.channel_limit", client.channel_limit), .def = "128",
     .help = "Subscriptions of one connection."},
    {ROW(CONF_INT, "client.queue_max_size", client.queue_max_size), .def = "1048576",
     .help = "Bytes that may wait for one connection; more of them close it as slow."},
    {ROW(CONF_DURATION, "client.presence_update_interval", client.presence_update_interval_ms),
     .def = "27s", .help = "How often presence entries are renewed."},
    {ROW(CONF_INT, "client.concurrency", client.concurrency),
     .help = "Accepted, and means nothing: commands of one client are worked on in their order."},
    {ROW(CONF_DURATION, "client.channel_position_check_delay",
         client.channel_position_check_delay_ms),
     .def = "40s", .help = "How often the stream position of subscriptions is checked."},
    {ROW(CONF_DURATION, "client.channel_position_max_time_lag",
         client.channel_position_max_time_lag_ms),
     .help = "Largest delay of publications for positioned subscribers; 0 is any."},
    {ROW(CONF_INT, "client.connection_limit", client.connection_limit),
     .help = "Connections of this node; 0 is no limit. More than 32768 raise the limit of open "
             "files."},
    {ROW(CONF_INT, "client.user_connection_limit", client.user_connection_limit),
     .help = "Connections of one user to this node; 0 is no limit."},
    {ROW(CONF_INT, "client.connection_rate_limit", client.connection_rate_limit),
     .help = "New connections a second; 0 is no limit."},
    {ROW(CONF_BOOL, "client.connect_include_server_time", client.connect_include_server_time),
     .help = "Put the server's time into the connect reply."},
    {ROW(CONF_INT, "client.history_max_publication_limit", client.history_max_publication_limit),
     .def = "300", .help = "Publications that one history command of a client may return."},
    {ROW(CONF_INT, "client.recovery_max_publication_limit", client.recovery_max_publication_limit),
     .def = "300",
     .help = "Publications that a recovery may deliver; when more were missed it fails."},
    {ROW(CONF_BOOL, "client.insecure", client.insecure),
     .help = "No token is needed and everything is permitted. For development."},
    {ROW(CONF_BOOL, "client.insecure_skip_token_signature_verify",
         client.insecure_skip_token_signature_verify),
     .help = "Accept tokens whatever their signature is. For development."},
    {ROW(CONF_STRING, "client.user_id_http_header", client.user_id_http_header),
     .help = "Request header, set by the web server in front, that names the user."},
    {ROW(CONF_BOOL, "client.subscribe_to_user_personal_channel.enabled",
         client.subscribe_to_user_personal_channel.enabled),
     .help = "Subscribe each user to a channel of their own."},
    {ROW(CONF_STRING, "client.subscribe_to_user_personal_channel.personal_channel_namespace",
         client.subscribe_to_user_personal_channel.personal_channel_namespace),
     .help = "Namespace of that channel."},
    {ROW(CONF_BOOL, "client.subscribe_to_user_personal_channel.single_connection",
         client.subscribe_to_user_personal_channel.single_connection),
     .help =
         "A new connection closes the older ones of its user; needs presence in that namespace."},

    {ROW(CONF_INT, "channel.max_length", channel.max_length), .def = "255",
     .help = "Bytes of a channel name."},
    {ROW(CONF_STRING, "channel.private_prefix", channel.private_prefix), .def = "$",
     .help = "Channels that begin with it need a subscription token."},
    {ROW(CONF_STRING, "channel.namespace_boundary", channel.namespace_boundary), .def = ":",
     .help = "What stands between namespace and the rest of a channel name."},
    {ROW(CONF_STRING, "channel.user_boundary", channel.user_boundary), .def = "#",
     .help = "What stands before the list of users in a user-limited channel."},
    {ROW(CONF_STRING, "channel.user_separator", channel.user_separator), .def = ",",
     .help = "What stands between those users."},
    {ROW(CONF_DURATION, "channel.history_meta_ttl", channel.history_meta_ttl_ms), .def = "720h",
     .flags = CONF_WHOLE_SECONDS, .help = "How long the position of a stream is remembered."},
    {ROW(CONF_ENUM, "channel.publication_data_format", channel.publication_data_format),
     .words = data_formats,
     .help = "What publications have to be: anything but empty, json, json_object, or binary for "
             "anything."},

    {ROW(CONF_STRING, "engine.type", engine.type), .def = "redis", .words = engine_types,
     .help = "Always redis: the programs share their state through it. The word memory is accepted "
             "and means redis."},
    {ROW(CONF_STRING, "engine.redis.prefix", engine.redis.prefix), .def = "centrifugo",
     .help = "Prefix of all keys in Redis."},
    {ROW(CONF_STRINGS, "engine.redis.address", engine.redis.address),
     .def = "redis://127.0.0.1:6379", .flags = CONF_URL | CONF_COMMAS,
     .help = "Addresses of Redis. Several of them share the channels, see Several Redis above."},
    {ROW(CONF_DURATION, "engine.redis.connect_timeout", engine.redis.connect_timeout_ms),
     .def = "1s", .help = "How long connecting to Redis may take."},
    {ROW(CONF_DURATION, "engine.redis.io_timeout", engine.redis.io_timeout_ms), .def = "4s",
     .help = "A Redis that does not answer for this long is given up and connected to again."},
    {ROW(CONF_INT, "engine.redis.db", engine.redis.db), .help = "Number of the database."},
    {ROW(CONF_STRING, "engine.redis.user", engine.redis.user), .help = "User of Redis."},
    {ROW(CONF_STRING, "engine.redis.password", engine.redis.password), .flags = CONF_SECRET,
     .help = "Password of Redis."},
    {ROW(CONF_STRING, "engine.redis.client_name", engine.redis.client_name),
     .help = "Name of our connections in CLIENT LIST."},
    {ROW(CONF_BOOL, "engine.redis.history_use_lists", engine.redis.history_use_lists),
     .help = "Keep history in lists instead of streams."},
    {ROW(CONF_DURATION, "engine.redis.presence_ttl", engine.redis.presence_ttl_ms), .def = "60s",
     .help = "How long a presence entry lives without renewal."},
    {ROW(CONF_BOOL, "engine.redis.presence_hash_field_ttl", engine.redis.presence_hash_field_ttl),
     .help = "Let Redis (7.4 or later) expire presence entries."},
    {ROW(CONF_BOOL, "engine.redis.presence_user_mapping", engine.redis.presence_user_mapping),
     .help = "Count the users of a channel, for faster statistics."},

    {ROW(CONF_BOOL, "websocket.disabled", websocket.disabled),
     .help = "Serve no WebSocket clients."},
    {ROW(CONF_STRING, "websocket.handler_prefix", websocket.handler_prefix),
     .def = "/connection/websocket", .flags = CONF_PATH, .help = "Path of the WebSocket endpoint."},
    {ROW(CONF_INT, "websocket.message_size_limit", websocket.message_size_limit), .def = "65536",
     .max = 1 << 30, .help = "Bytes of one message from a client."},
    {ROW(CONF_DURATION, "websocket.write_timeout", websocket.write_timeout_ms), .def = "1s",
     .help = "A client that takes nothing for this long is disconnected."},
    {ROW(CONF_BOOL, "websocket.compression", websocket.compression),
     .help = "Compress messages for clients that offer permessage-deflate."},
    {ROW(CONF_INT, "websocket.compression_level", websocket.compression_level), .def = "1",
     .min = -2, .max = 9, .help = "Effort of compression: 1 fastest, 9 smallest."},
    {ROW(CONF_INT, "websocket.compression_min_size", websocket.compression_min_size), .def = "0",
     .max = 1 << 30, .help = "Messages of this many bytes or fewer are not compressed."},
    {ROW(CONF_INT, "websocket.decompressed_message_size_limit",
         websocket.decompressed_message_size_limit),
     .def = "0", .max = 1 << 30,
     .help = "Bytes of one compressed message from a client after decompression; 0 takes ten times "
             "websocket.message_size_limit."},

    {ROW(CONF_BOOL, "init.enabled", init.enabled),
     .help = "Answer {} to GET at init.handler_prefix, on the port of the WebSocket endpoint."},
    {ROW(CONF_STRING, "init.handler_prefix", init.handler_prefix), .def = "/connection/init",
     .flags = CONF_PATH, .help = "Path that warms up a connection."},

    {ROW(CONF_BOOL, "http_api.disabled", http_api.disabled), .help = "Serve no server API."},
    {ROW(CONF_STRING, "http_api.handler_prefix", http_api.handler_prefix), .def = "/api",
     .flags = CONF_PREFIX, .help = "Path of the server API."},
    {ROW(CONF_STRING, "http_api.key", http_api.key), .flags = CONF_SECRET,
     .help = "Key that callers of the server API present."},
    {ROW(CONF_ENUM, "http_api.error_mode", http_api.is_error_mode_transport), .words = error_modes,
     .flags = CONF_SOFT,
     .help = "Set to transport, errors of the server API use HTTP status codes."},
    {ROW(CONF_BOOL, "http_api.insecure", http_api.insecure),
     .help = "The server API needs no key. For development."},

    {ROW(CONF_BOOL, "admin.enabled", admin.enabled),
     .help =
         "Serve the admin page; CENTRIFUGO_ADMIN_PASSWORD in the environment switches it on, too."},
    {ROW(CONF_STRING, "admin.handler_prefix", admin.handler_prefix), .flags = CONF_PREFIX,
     .help = "What stands before /admin in the path of the admin page."},
    {ROW(CONF_STRING, "admin.password", admin.password), .flags = CONF_SECRET,
     .help = "Password of the admin page."},
    {ROW(CONF_STRING, "admin.secret", admin.secret), .flags = CONF_SECRET,
     .help = "Key that signs admin sessions."},
    {ROW(CONF_BOOL, "admin.insecure", admin.insecure),
     .help = "The admin page needs no login. For development."},

    {ROW(CONF_BOOL, "prometheus.enabled", prometheus.enabled),
     .help = "Serve metrics for Prometheus."},
    {ROW(CONF_STRING, "prometheus.handler_prefix", prometheus.handler_prefix), .def = "/metrics",
     .flags = CONF_PATH, .help = "Path of the metrics."},
    {ROW(CONF_BOOL, "health.enabled", health.enabled),
     .help = "Accepted: the health endpoint is served always."},
    {ROW(CONF_STRING, "health.handler_prefix", health.handler_prefix), .def = "/health",
     .flags = CONF_PATH, .help = "Path of the health endpoint."},

    {ROW(CONF_BOOL, "rpc.ping.enabled", rpc_ping.enabled),
     .help = "Answer a built-in RPC method with empty data."},
    {ROW(CONF_STRING, "rpc.ping.method", rpc_ping.method), .def = "ping",
     .help = "Name of that method."},

    {ROW(CONF_STRINGS, "pushd.websocket_listen", pushd.websocket_listen), .def = "127.0.0.1:8001",
     .help = "Where pushd waits for clients: host:port, [address]:port or unix:/path. Port 0 lets "
             "the kernel choose."},
    {ROW(CONF_STRING, "pushd.admin_listen", pushd.admin_listen), .def = "127.0.0.1:8002",
     .help = "Where pushd serves admin, health and metrics."},
    {ROW(CONF_STRING, "pushd.api_listen", pushd.api_listen), .def = "unix:/run/pushd/push-api.sock",
     .help = "Where push-api waits for FastCGI requests."},
    {ROW(CONF_INT, "pushd.workers", pushd.workers), .max = 1024,
     .help = "Worker threads of pushd; 0 is one for each core."},
    {ROW(CONF_INT, "pushd.api_threads", pushd.api_threads), .def = "4", .max = 1024,
     .help = "Threads of push-api."},
    {ROW(CONF_STRING, "pushd.user", pushd.user), .help = "User to become when started as root."},
    {ROW(CONF_STRING, "pushd.group", pushd.group), .help = "Group to become when started as root."},
    {ROW(CONF_ENUM, "pushd.batch_send", pushd.batch_send), .def = "auto", .words = batch_sends,
     .help =
         "How messages are sent to many clients: one io_uring submission, or a loop of send()."},
    {ROW(CONF_BOOL, "pushd.direct_write", pushd.direct_write), .def = "true",
     .help = "Write to a client's socket at once; false writes from the event loop only."},
    {ROW(CONF_DURATION, "pushd.redis_timeout", pushd.redis_timeout_ms), .def = "1s",
     .help = "How long an API call or a client waits for one answer of Redis."},
    {ROW(CONF_STRINGS, "pushd.trusted_proxies", pushd.trusted_proxies),
     .help = "Networks (or unix:) of web servers whose X-Forwarded-For is believed, for the log."},
    {ROW(CONF_INT, "pushd.api_max_body_size", pushd.api_max_body_size), .def = "16777216",
     .max = 1 << 30, .help = "Bytes of one request to the server API."},
    {ROW(CONF_DURATION, "pushd.queue_max_age", pushd.queue_max_age_ms),
     .help =
         "A client for whom the oldest message waits longer is closed as slow when the next one "
         "comes; 0 is any age."},
    {ROW(CONF_STRING, "pushd.token.endpoint", pushd.token.endpoint),
     .def = "/api/v1/centrifugo/token", .flags = CONF_PATH,
     .help = "Path where push-api gives connection tokens."},
    {ROW(CONF_STRING, "pushd.token.subscription_endpoint", pushd.token.subscription_endpoint),
     .def = "/api/v1/centrifugo/subscription_token", .flags = CONF_PATH,
     .help = "Path where push-api gives subscription tokens."},
    {ROW(CONF_DURATION, "pushd.token.ttl", pushd.token.ttl_ms), .def = "1h", .min = 1000,
     .max = INT64_MAX, .help = "How long these tokens are valid."},
    {ROW(CONF_ENUM, "pushd.token.session.source", pushd.token.session.source), .def = "variable",
     .words = session_sources,
     .help = "How the user is known: a FastCGI variable, a cookie that is a JWT, or a cookie that "
             "names a session in Redis."},
    {ROW(CONF_STRING, "pushd.token.session.variable", pushd.token.session.variable),
     .def = "REMOTE_USER", .help = "FastCGI variable that names the user."},
    {ROW(CONF_STRING, "pushd.token.session.org_variable", pushd.token.session.org_variable),
     .def = "REMOTE_ORGS", .help = "FastCGI variable that lists the user's organisations."},
    {ROW(CONF_STRING, "pushd.token.session.cookie", pushd.token.session.cookie), .def = "session",
     .help = "Name of the cookie."},
    {ROW(CONF_STRING, "pushd.token.session.jwt_hmac_secret_key",
         pushd.token.session.jwt_hmac_secret_key),
     .flags = CONF_SECRET, .help = "Key of the cookie that is a JWT."},
    {ROW(CONF_STRING, "pushd.token.session.user_claim", pushd.token.session.user_claim),
     .def = "sub", .help = "Claim of that JWT with the user."},
    {ROW(CONF_STRING, "pushd.token.session.org_claim", pushd.token.session.org_claim),
     .def = "orgs", .help = "Claim of that JWT with the organisations."},
    {ROW(CONF_STRING, "pushd.token.session.redis_key", pushd.token.session.redis_key),
     .def = "session:{cookie}",
     .help = "Key of the session in Redis, in the first one of several; {cookie} is the cookie's "
             "value."},
    {ROW(CONF_STRING, "pushd.token.session.user_field", pushd.token.session.user_field),
     .def = "user.id", .help = "Dotted path of the user in the session's JSON."},
    {ROW(CONF_STRING, "pushd.token.session.org_field", pushd.token.session.org_field),
     .def = "organizations", .help = "Dotted path of the organisations in the session's JSON."},
    {ROW(CONF_STRINGS, "pushd.token.channels", pushd.token.channels),
     .help = "Channels that a user gets, with {user} and {org} filled in."},
    {ROW(CONF_ENUM, "pushd.token.channels_as", pushd.token.channels_as_permission),
     .def = "subscriptions", .words = channel_claims,
     .help = "Whether a token subscribes its user to those channels, or only permits subscription "
             "tokens for them."},
    {ROW(CONF_BOOL, "pushd.token.require_org", pushd.token.require_org),
     .help = "Refuse tokens to users without an organisation."},
    {ROW(CONF_STRINGS, "pushd.token.info_fields", pushd.token.info_fields),
     .help = "Dotted paths of fields of the session that are put into the info of connection "
             "tokens, each under the last part of its path; the source variable has no fields."},
};

const struct conf_table conf_rows = {.rows = rows, .n = ARRAY_LEN(rows)};

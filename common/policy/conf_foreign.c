/* SPDX-License-Identifier: Apache-2.0 */
/* Options that are not ours: of Centrifugo where we do not follow yet, of its commercial edition,
 * and of its older versions. */
#include "common/policy/conf_schema.h"

static const struct conf_foreign rows[] = {
    /* Objects that their member `enabled` switches on. */
    {.path = "sse", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "http_stream", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "webtransport", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "uni_websocket", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "uni_sse", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "uni_http_stream", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "uni_grpc", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "grpc_api", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "broker", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "presence_manager", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "controller", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "swagger", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "debug", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "opentelemetry", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "graphite", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "engine.redis.tls", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "engine.redis.sentinel_tls", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "engine.redis.replica_client", .kind = FOREIGN_NOT_YET, .has_switch = true},
    {.path = "client.connect_code_to_unidirectional_disconnect",
     .kind = FOREIGN_NOT_YET,
     .has_switch = true},
    /* Other parts of Centrifugo that are still to come. */
    {.path = "client.proxy", .kind = FOREIGN_NOT_YET},
    {.path = "channel.proxy", .kind = FOREIGN_NOT_YET},
    {.path = "rpc.proxy", .kind = FOREIGN_NOT_YET},
    {.path = "rpc.without_namespace", .kind = FOREIGN_NOT_YET},
    {.path = "rpc.namespaces", .kind = FOREIGN_NOT_YET},
    {.path = "proxies", .kind = FOREIGN_NOT_YET},
    {.path = "consumers", .kind = FOREIGN_NOT_YET},
    {.path = "map_broker", .kind = FOREIGN_NOT_YET},
    {.path = "shared_poll", .kind = FOREIGN_NOT_YET},
    {.path = "engine.redis.cluster_address", .kind = FOREIGN_NOT_YET},
    {.path = "engine.redis.sentinel_address", .kind = FOREIGN_NOT_YET},
    {.path = "engine.redis.sentinel_master_name", .kind = FOREIGN_NOT_YET},
    {.path = "engine.redis.sentinel_user", .kind = FOREIGN_NOT_YET},
    {.path = "engine.redis.sentinel_password", .kind = FOREIGN_NOT_YET},
    {.path = "engine.redis.sentinel_client_name", .kind = FOREIGN_NOT_YET},
    {.path = "admin.web_path", .kind = FOREIGN_NOT_YET},
    {.path = "admin.web_proxy_address", .kind = FOREIGN_NOT_YET},
    {.path = "prometheus.instrument_http_handlers", .kind = FOREIGN_NOT_YET},
    {.path = "prometheus.recovered_publications_histogram", .kind = FOREIGN_NOT_YET},
    {.path = "prometheus.native_histograms", .kind = FOREIGN_NOT_YET},
    /* Tuning of another implementation. */
    {.path = "rpc.namespace_boundary", .kind = FOREIGN_QUIET},
    {.path = "engine.redis.force_resp2", .kind = FOREIGN_QUIET},
    {.path = "websocket.read_buffer_size", .kind = FOREIGN_QUIET},
    {.path = "websocket.write_buffer_size", .kind = FOREIGN_QUIET},
    {.path = "websocket.use_write_buffer_pool", .kind = FOREIGN_QUIET},
    {.path = "emulation", .kind = FOREIGN_QUIET},
    {.path = "http_api.external", .kind = FOREIGN_QUIET},
    {.path = "admin.external", .kind = FOREIGN_QUIET},
    {.path = "enable_unreleased_features", .kind = FOREIGN_QUIET},
    {.path = "usage_stats", .kind = FOREIGN_QUIET},
    /* Listeners and TLS. */
    {.path = "http_server.internal_address", .kind = FOREIGN_WEB_SERVER},
    {.path = "http_server.internal_port", .kind = FOREIGN_WEB_SERVER},
    {.path = "http_server.tls", .kind = FOREIGN_WEB_SERVER},
    {.path = "http_server.tls_external", .kind = FOREIGN_WEB_SERVER},
    {.path = "http_server.internal_tls", .kind = FOREIGN_WEB_SERVER},
    {.path = "http_server.tls_autocert", .kind = FOREIGN_WEB_SERVER},
    {.path = "http_server.http3", .kind = FOREIGN_WEB_SERVER},
    {.path = "http_server.h2c_external", .kind = FOREIGN_WEB_SERVER},
    /* Centrifugo PRO. */
    {.path = "channel.patterns", .kind = FOREIGN_PRO},
    {.path = "brokers", .kind = FOREIGN_PRO},
    {.path = "presence_managers", .kind = FOREIGN_PRO},
    {.path = "map_brokers", .kind = FOREIGN_PRO},
    {.path = "client.write_delay", .kind = FOREIGN_PRO},
    {.path = "client.write_with_timer", .kind = FOREIGN_PRO},
    {.path = "client.queue_shrink_delay", .kind = FOREIGN_PRO},
    {.path = "client.max_messages_in_frame", .kind = FOREIGN_PRO},
    {.path = "client.reply_without_queue", .kind = FOREIGN_PRO},
    {.path = "client.batch_periodic_events", .kind = FOREIGN_PRO},
    {.path = "client.token.jwks", .kind = FOREIGN_PRO},
    {.path = "client.subscription_token.jwks", .kind = FOREIGN_PRO},
    {.path = "client.token.labels_from_claim", .kind = FOREIGN_PRO},
    {.path = "client.rate_limit", .kind = FOREIGN_PRO},
    {.path = "websocket.process_commands_off_read_loop", .kind = FOREIGN_PRO},
    {.path = "websocket.compression_prepared_message_cache_size", .kind = FOREIGN_PRO},
    {.path = "http_api.jwks", .kind = FOREIGN_PRO},
    {.path = "engine.redis.sharded_pub_sub_partitions", .kind = FOREIGN_PRO},
    {.path = "engine.redis.use_precomputed_partition_tags", .kind = FOREIGN_PRO},
    {.path = "engine.redis.group_sharded_pub_sub_by_node", .kind = FOREIGN_PRO},
    {.path = "engine.redis.subscribe_on_replica", .kind = FOREIGN_PRO},
    {.path = "engine.redis.presence_read_from_replica", .kind = FOREIGN_PRO},
    {.path = "singleflight", .kind = FOREIGN_PRO},
    {.path = "user_block", .kind = FOREIGN_PRO},
    {.path = "token_revoke", .kind = FOREIGN_PRO},
    {.path = "user_tokens_invalidate", .kind = FOREIGN_PRO},
    {.path = "user_status", .kind = FOREIGN_PRO},
    {.path = "push_notifications", .kind = FOREIGN_PRO},
    {.path = "clickhouse_analytics", .kind = FOREIGN_PRO},
    {.path = "database", .kind = FOREIGN_PRO},
    {.path = "shared_poll_relay", .kind = FOREIGN_PRO},
    {.path = "admin.oidc", .kind = FOREIGN_PRO},
    {.path = "admin.api_key", .kind = FOREIGN_PRO},
    {.path = "prometheus.client_labels", .kind = FOREIGN_PRO},
};

static const struct conf_foreign ns_rows[] = {
    {.path = "map_clients_presence_channel_prefix", .kind = FOREIGN_NOT_YET},
    {.path = "map_users_presence_channel_prefix", .kind = FOREIGN_NOT_YET},
    {.path = "subscribe_stream_proxy_enabled", .kind = FOREIGN_NOT_YET},
    {.path = "subscribe_stream_proxy_bidirectional", .kind = FOREIGN_NOT_YET},
    {.path = "subscribe_proxy_name", .kind = FOREIGN_QUIET},
    {.path = "publish_proxy_name", .kind = FOREIGN_QUIET},
    {.path = "sub_refresh_proxy_name", .kind = FOREIGN_QUIET},
    {.path = "subscribe_stream_proxy_name", .kind = FOREIGN_QUIET},
    {.path = "map", .kind = FOREIGN_QUIET},
    {.path = "shared_poll", .kind = FOREIGN_QUIET},
    {.path = "shared_position_sync", .kind = FOREIGN_PRO},
    {.path = "subscribe_cel", .kind = FOREIGN_PRO},
    {.path = "publish_cel", .kind = FOREIGN_PRO},
    {.path = "history_cel", .kind = FOREIGN_PRO},
    {.path = "presence_cel", .kind = FOREIGN_PRO},
    {.path = "batch_max_size", .kind = FOREIGN_PRO},
    {.path = "batch_max_delay", .kind = FOREIGN_PRO},
    {.path = "batch_flush_latest", .kind = FOREIGN_PRO},
    {.path = "keep_latest_publication", .kind = FOREIGN_PRO},
    {.path = "client_publish_debounce_interval", .kind = FOREIGN_PRO},
    {.path = "cache_empty_proxy_enabled", .kind = FOREIGN_PRO},
    {.path = "cache_empty_proxy_name", .kind = FOREIGN_PRO},
    {.path = "state_proxy_enabled", .kind = FOREIGN_PRO},
    {.path = "state_proxy_name", .kind = FOREIGN_PRO},
    {.path = "state_events", .kind = FOREIGN_PRO},
    {.path = "broker_name", .kind = FOREIGN_PRO},
    {.path = "presence_manager_name", .kind = FOREIGN_PRO},
};

/* Versions 3 to 5 had flat names. The options of channels without a namespace stood at the top,
 * too: the loader knows those by the table of namespace options. The variables with in_env are in
 * everybody's .env files and go on working; those that would open a door do not. */
static const struct conf_foreign old_rows[] = {
    {.path = "token_hmac_secret_key",
     .kind = FOREIGN_OLD,
     .in_env = true,
     .now = "client.token.hmac_secret_key"},
    {.path = "token_rsa_public_key",
     .kind = FOREIGN_OLD,
     .in_env = true,
     .now = "client.token.rsa_public_key"},
    {.path = "token_ecdsa_public_key",
     .kind = FOREIGN_OLD,
     .in_env = true,
     .now = "client.token.ecdsa_public_key"},
    {.path = "token_audience", .kind = FOREIGN_OLD, .in_env = true, .now = "client.token.audience"},
    {.path = "token_issuer", .kind = FOREIGN_OLD, .in_env = true, .now = "client.token.issuer"},
    {.path = "token_user_id_claim",
     .kind = FOREIGN_OLD,
     .in_env = true,
     .now = "client.token.user_id_claim"},
    {.path = "allowed_origins",
     .kind = FOREIGN_OLD,
     .in_env = true,
     .now = "client.allowed_origins"},
    {.path = "api_key", .kind = FOREIGN_OLD, .in_env = true, .now = "http_api.key"},
    {.path = "name", .kind = FOREIGN_OLD, .in_env = true, .now = "node.name"},
    {.path = "engine", .kind = FOREIGN_OLD, .in_env = true, .now = "engine.type"},
    {.path = "redis_address", .kind = FOREIGN_OLD, .in_env = true, .now = "engine.redis.address"},
    {.path = "redis_password", .kind = FOREIGN_OLD, .in_env = true, .now = "engine.redis.password"},
    {.path = "redis_user", .kind = FOREIGN_OLD, .in_env = true, .now = "engine.redis.user"},
    {.path = "redis_db", .kind = FOREIGN_OLD, .in_env = true, .now = "engine.redis.db"},
    {.path = "redis_prefix", .kind = FOREIGN_OLD, .in_env = true, .now = "engine.redis.prefix"},
    {.path = "admin", .kind = FOREIGN_OLD, .in_env = true, .now = "admin.enabled"},
    {.path = "health", .kind = FOREIGN_OLD, .in_env = true, .now = "health.enabled"},
    {.path = "prometheus", .kind = FOREIGN_OLD, .in_env = true, .now = "prometheus.enabled"},
    {.path = "namespaces", .kind = FOREIGN_OLD, .in_env = true, .now = "channel.namespaces"},
    {.path = "token_jwks_public_endpoint",
     .kind = FOREIGN_OLD,
     .now = "client.token.jwks_public_endpoint"},
    {.path = "token_audience_regex", .kind = FOREIGN_OLD, .now = "client.token.audience_regex"},
    {.path = "token_issuer_regex", .kind = FOREIGN_OLD, .now = "client.token.issuer_regex"},
    {.path = "separate_subscription_token_config",
     .kind = FOREIGN_OLD,
     .now = "client.subscription_token.enabled"},
    {.path = "subscription_token_hmac_secret_key",
     .kind = FOREIGN_OLD,
     .now = "client.subscription_token.hmac_secret_key"},
    {.path = "subscription_token_rsa_public_key",
     .kind = FOREIGN_OLD,
     .now = "client.subscription_token.rsa_public_key"},
    {.path = "subscription_token_ecdsa_public_key",
     .kind = FOREIGN_OLD,
     .now = "client.subscription_token.ecdsa_public_key"},
    {.path = "subscription_token_jwks_public_endpoint",
     .kind = FOREIGN_OLD,
     .now = "client.subscription_token.jwks_public_endpoint"},
    {.path = "allow_anonymous_connect_without_token",
     .kind = FOREIGN_OLD,
     .now = "client.allow_anonymous_connect_without_token"},
    {.path = "client_anonymous",
     .kind = FOREIGN_OLD,
     .now = "client.allow_anonymous_connect_without_token"},
    {.path = "disallow_anonymous_connection_tokens",
     .kind = FOREIGN_OLD,
     .now = "client.disallow_anonymous_connection_tokens"},
    {.path = "user_subscribe_to_personal",
     .kind = FOREIGN_OLD,
     .now = "client.subscribe_to_user_personal_channel.enabled"},
    {.path = "user_personal_channel_namespace",
     .kind = FOREIGN_OLD,
     .now = "client.subscribe_to_user_personal_channel.personal_channel_namespace"},
    {.path = "user_personal_single_connection",
     .kind = FOREIGN_OLD,
     .now = "client.subscribe_to_user_personal_channel.single_connection"},
    {.path = "ping_interval", .kind = FOREIGN_OLD, .now = "client.ping_interval"},
    {.path = "pong_timeout", .kind = FOREIGN_OLD, .now = "client.pong_timeout"},
    {.path = "client_channel_limit", .kind = FOREIGN_OLD, .now = "client.channel_limit"},
    {.path = "client_queue_max_size", .kind = FOREIGN_OLD, .now = "client.queue_max_size"},
    {.path = "client_presence_update_interval",
     .kind = FOREIGN_OLD,
     .now = "client.presence_update_interval"},
    {.path = "client_concurrency", .kind = FOREIGN_OLD, .now = "client.concurrency"},
    {.path = "client_expired_close_delay",
     .kind = FOREIGN_OLD,
     .now = "client.expired_close_delay"},
    {.path = "client_expired_sub_close_delay",
     .kind = FOREIGN_OLD,
     .now = "client.expired_sub_close_delay"},
    {.path = "client_stale_close_delay", .kind = FOREIGN_OLD, .now = "client.stale_close_delay"},
    {.path = "client_channel_position_check_delay",
     .kind = FOREIGN_OLD,
     .now = "client.channel_position_check_delay"},
    {.path = "client_connection_limit", .kind = FOREIGN_OLD, .now = "client.connection_limit"},
    {.path = "client_user_connection_limit",
     .kind = FOREIGN_OLD,
     .now = "client.user_connection_limit"},
    {.path = "client_connection_rate_limit",
     .kind = FOREIGN_OLD,
     .now = "client.connection_rate_limit"},
    {.path = "client_history_max_publication_limit",
     .kind = FOREIGN_OLD,
     .now = "client.history_max_publication_limit"},
    {.path = "client_recovery_max_publication_limit",
     .kind = FOREIGN_OLD,
     .now = "client.recovery_max_publication_limit"},
    {.path = "client_user_id_http_header",
     .kind = FOREIGN_OLD,
     .now = "client.user_id_http_header"},
    {.path = "client_insecure", .kind = FOREIGN_OLD, .now = "client.insecure"},
    {.path = "client_insecure_skip_token_signature_verify",
     .kind = FOREIGN_OLD,
     .now = "client.insecure_skip_token_signature_verify"},
    {.path = "channel_max_length", .kind = FOREIGN_OLD, .now = "channel.max_length"},
    {.path = "channel_private_prefix", .kind = FOREIGN_OLD, .now = "channel.private_prefix"},
    {.path = "channel_namespace_boundary",
     .kind = FOREIGN_OLD,
     .now = "channel.namespace_boundary"},
    {.path = "channel_user_boundary", .kind = FOREIGN_OLD, .now = "channel.user_boundary"},
    {.path = "channel_user_separator", .kind = FOREIGN_OLD, .now = "channel.user_separator"},
    {.path = "global_history_meta_ttl", .kind = FOREIGN_OLD, .now = "channel.history_meta_ttl"},
    {.path = "redis_connect_timeout", .kind = FOREIGN_OLD, .now = "engine.redis.connect_timeout"},
    {.path = "redis_io_timeout", .kind = FOREIGN_OLD, .now = "engine.redis.io_timeout"},
    {.path = "redis_use_lists", .kind = FOREIGN_OLD, .now = "engine.redis.history_use_lists"},
    {.path = "redis_presence_ttl", .kind = FOREIGN_OLD, .now = "engine.redis.presence_ttl"},
    {.path = "redis_tls", .kind = FOREIGN_OLD, .now = "engine.redis.tls"},
    {.path = "redis_cluster_address", .kind = FOREIGN_OLD, .now = "engine.redis.cluster_address"},
    {.path = "redis_sentinel_address", .kind = FOREIGN_OLD, .now = "engine.redis.sentinel_address"},
    {.path = "redis_sentinel_master_name",
     .kind = FOREIGN_OLD,
     .now = "engine.redis.sentinel_master_name"},
    {.path = "admin_password", .kind = FOREIGN_OLD, .now = "admin.password"},
    {.path = "admin_secret", .kind = FOREIGN_OLD, .now = "admin.secret"},
    {.path = "admin_insecure", .kind = FOREIGN_OLD, .now = "admin.insecure"},
    {.path = "admin_handler_prefix", .kind = FOREIGN_OLD, .now = "admin.handler_prefix"},
    {.path = "api_insecure", .kind = FOREIGN_OLD, .now = "http_api.insecure"},
    {.path = "api_handler_prefix", .kind = FOREIGN_OLD, .now = "http_api.handler_prefix"},
    {.path = "health_handler_prefix", .kind = FOREIGN_OLD, .now = "health.handler_prefix"},
    {.path = "prometheus_handler_prefix", .kind = FOREIGN_OLD, .now = "prometheus.handler_prefix"},
    {.path = "log_level", .kind = FOREIGN_OLD, .now = "log.level"},
    {.path = "log_file", .kind = FOREIGN_OLD, .now = "log.file"},
    {.path = "node_info_metrics_aggregate_interval",
     .kind = FOREIGN_OLD,
     .now = "node.info_metrics_aggregate_interval"},
    {.path = "shutdown_timeout", .kind = FOREIGN_OLD, .now = "shutdown.timeout"},
    {.path = "address", .kind = FOREIGN_OLD, .now = "http_server.address"},
    {.path = "port", .kind = FOREIGN_OLD, .now = "http_server.port"},
    {.path = "internal_address", .kind = FOREIGN_OLD, .now = "http_server.internal_address"},
    {.path = "internal_port", .kind = FOREIGN_OLD, .now = "http_server.internal_port"},
    {.path = "tls", .kind = FOREIGN_OLD, .now = "http_server.tls"},
    {.path = "websocket_disable", .kind = FOREIGN_OLD, .now = "websocket.disabled"},
    {.path = "websocket_handler_prefix", .kind = FOREIGN_OLD, .now = "websocket.handler_prefix"},
    {.path = "websocket_message_size_limit",
     .kind = FOREIGN_OLD,
     .now = "websocket.message_size_limit"},
    {.path = "websocket_write_timeout", .kind = FOREIGN_OLD, .now = "websocket.write_timeout"},
    {.path = "websocket_compression", .kind = FOREIGN_OLD, .now = "websocket.compression"},
    {.path = "websocket_compression_min_size",
     .kind = FOREIGN_OLD,
     .now = "websocket.compression_min_size"},
    {.path = "websocket_compression_level",
     .kind = FOREIGN_OLD,
     .now = "websocket.compression_level"},
    {.path = "proxy_connect_endpoint", .kind = FOREIGN_OLD, .now = "client.proxy.connect.endpoint"},
    {.path = "proxy_refresh_endpoint", .kind = FOREIGN_OLD, .now = "client.proxy.refresh.endpoint"},
    {.path = "proxy_subscribe_endpoint",
     .kind = FOREIGN_OLD,
     .now = "channel.proxy.subscribe.endpoint"},
    {.path = "proxy_publish_endpoint",
     .kind = FOREIGN_OLD,
     .now = "channel.proxy.publish.endpoint"},
    {.path = "proxy_rpc_endpoint", .kind = FOREIGN_OLD, .now = "rpc.proxy.endpoint"},
    {.path = "granular_proxy_mode", .kind = FOREIGN_OLD, .now = "proxies"},
    {.path = "rpc_ping", .kind = FOREIGN_OLD, .now = "rpc.ping.enabled"},
    {.path = "rpc_ping_method", .kind = FOREIGN_OLD, .now = "rpc.ping.method"},
};

/* Whether `path` is the row's or below it. */
static bool covers(const struct conf_foreign *row, struct span path)
{
    size_t n = strlen(row->path);
    return path.n >= n && span_eq_nocase(span_of(path.p, n), span_of(row->path, n)) &&
           (path.n == n || path.p[n] == '.');
}

static bool covers_env(const struct conf_foreign *row, struct span name)
{
    size_t n = strlen(row->path);
    return name.n >= n && conf_env_is(span_of(name.p, n), row->path) &&
           (name.n == n || name.p[n] == '_');
}

typedef bool (*covers_fn)(const struct conf_foreign *row, struct span s);

static const struct conf_foreign *find(const struct conf_foreign *list, size_t n, struct span s,
                                       covers_fn fn)
{
    for (size_t i = 0; i < n; i++) {
        if (fn(&list[i], s)) {
            return &list[i];
        }
    }
    return NULL;
}

/* Old names are exact, not the beginning of others. */
static const struct conf_foreign *find_old(struct span s, bool is_env)
{
    for (size_t i = 0; i < ARRAY_LEN(old_rows); i++) {
        const char *path = old_rows[i].path;
        if (is_env ? conf_env_is(s, path) : span_eq_nocase(s, span_str(path))) {
            return &old_rows[i];
        }
    }
    return NULL;
}

const struct conf_foreign *conf_foreign_find(struct span path)
{
    const struct conf_foreign *f = find(rows, ARRAY_LEN(rows), path, covers);
    return f != NULL ? f : find_old(path, false);
}

const struct conf_foreign *conf_foreign_ns_find(struct span path)
{
    return find(ns_rows, ARRAY_LEN(ns_rows), path, covers);
}

const struct conf_foreign *conf_foreign_env(struct span name)
{
    const struct conf_foreign *old = find_old(name, true);
    return old != NULL ? old : find(rows, ARRAY_LEN(rows), name, covers_env);
}

const struct conf_foreign *conf_foreign_ns_env(struct span name)
{
    return find(ns_rows, ARRAY_LEN(ns_rows), name, covers_env);
}

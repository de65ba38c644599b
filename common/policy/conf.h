/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: one JSON file with Centrifugo v6's keys plus the object "pushd", overridden by
 * the environment. */
#pragma once

#include "common/base/err.h"
#include "common/base/htab.h"
#include "common/base/log.h"
#include "common/base/str.h"

struct rx;
struct conf_ns_node;

/* Members are named as the options they hold. Durations are milliseconds with the suffix _ms
 * (negative where the option allows it). Strings are never NULL: "" is unset. Lists end where their
 * count says. Prefixes of URLs begin with a slash and have none at their end:
 * http_api.handler_prefix and admin.handler_prefix are "" for the root, the other ones name one
 * path and are "/" for it. Everything is owned by struct conf and immutable after conf_load, so all
 * threads may read it. */

struct conf_strings {
    char **items;
    size_t n;
};

enum conf_data_format {
    DATA_FORMAT_ANY,
    DATA_FORMAT_JSON,
    DATA_FORMAT_JSON_OBJECT,
    DATA_FORMAT_BINARY
};
enum conf_recovery_mode {
    RECOVERY_STREAM,
    RECOVERY_CACHE
};
enum conf_subscription_type {
    SUBSCRIPTION_STREAM,
    SUBSCRIPTION_MAP,
    SUBSCRIPTION_MAP_CLIENTS,
    SUBSCRIPTION_MAP_USERS,
    SUBSCRIPTION_SHARED_POLL
};

/* Options of channel.without_namespace and of each element of channel.namespaces. */
struct chan_opts {
    char *name; /* of the namespace, "" without one */
    bool presence;
    bool join_leave;
    bool force_push_join_leave;
    int64_t history_size;
    int64_t history_ttl_ms;
    int64_t history_meta_ttl_ms; /* effective: the namespace's or the global one */
    bool force_positioning;
    bool allow_positioning;
    bool force_recovery;
    bool allow_recovery;
    enum conf_recovery_mode force_recovery_mode;
    bool auto_cache_recover;
    struct conf_strings allowed_delta_types;
    bool delta_publish;
    bool allow_tags_filter;
    bool allow_channel_compaction;
    bool allow_subscribe_for_client;
    bool allow_subscribe_for_anonymous;
    bool allow_publish_for_client;
    bool allow_publish_for_subscriber;
    bool allow_publish_for_anonymous;
    bool allow_presence_for_client;
    bool allow_presence_for_subscriber;
    bool allow_presence_for_anonymous;
    bool allow_history_for_client;
    bool allow_history_for_subscriber;
    bool allow_history_for_anonymous;
    bool allow_user_limited_channels;
    char *channel_regex;
    struct rx *channel_regex_compiled;             /* NULL without one */
    enum conf_data_format publication_data_format; /* effective */
    bool subscribe_proxy_enabled;
    bool publish_proxy_enabled;
    bool sub_refresh_proxy_enabled;
    enum conf_subscription_type subscription_type;
};

/* client.token and client.subscription_token. */
struct conf_token {
    bool enabled; /* subscription_token only */
    char *hmac_secret_key;
    char *hmac_previous_secret_key;
    int64_t hmac_previous_secret_key_valid_until;
    char *rsa_public_key;
    char *ecdsa_public_key;
    char *jwks_public_endpoint;
    bool insecure_skip_jwks_endpoint_safety_check;
    char *audience;
    char *audience_regex;
    char *issuer;
    char *issuer_regex;
    char *user_id_claim;
};

struct conf_client {
    struct conf_strings allowed_origins;
    struct conf_token token;
    struct conf_token subscription_token;
    bool allow_anonymous_connect_without_token;
    bool disallow_anonymous_connection_tokens;
    int64_t ping_interval_ms; /* negative: no pings */
    int64_t pong_timeout_ms;  /* negative: no pongs wanted */
    int64_t expired_close_delay_ms;
    int64_t expired_sub_close_delay_ms;
    int64_t stale_close_delay_ms;
    int64_t channel_limit;
    int64_t queue_max_size; /* bytes */
    int64_t presence_update_interval_ms;
    int64_t concurrency;
    int64_t channel_position_check_delay_ms;
    int64_t channel_position_max_time_lag_ms;
    int64_t connection_limit;
    int64_t user_connection_limit;
    int64_t connection_rate_limit;
    bool connect_include_server_time;
    int64_t history_max_publication_limit;
    int64_t recovery_max_publication_limit;
    bool insecure;
    bool insecure_skip_token_signature_verify;
    char *user_id_http_header;
    struct {
        bool enabled;
        char *personal_channel_namespace;
        bool single_connection;
    } subscribe_to_user_personal_channel;
};

struct conf_channel {
    int64_t max_length;
    char *private_prefix;
    char *namespace_boundary;
    char *user_boundary;
    char *user_separator;
    int64_t history_meta_ttl_ms;
    enum conf_data_format publication_data_format;
    struct chan_opts without_namespace;
    struct chan_opts *namespaces;
    size_t namespace_count;
    struct htab namespace_index; /* by name; channel_opts reads it */
    struct conf_ns_node *namespace_nodes;
};

/* An element of namespace_index. */
struct conf_ns_node {
    struct htab_node node;
    const struct chan_opts *opts;
};

struct conf_redis {
    char *prefix;
    struct conf_strings address; /* as written; redis_url.h parses one */
    int64_t connect_timeout_ms;
    int64_t io_timeout_ms;
    int64_t db;
    char *user;
    char *password;
    char *client_name;
    bool history_use_lists;
    int64_t presence_ttl_ms;
    bool presence_hash_field_ttl;
    bool presence_user_mapping;
};

enum conf_session_source {
    SESSION_VARIABLE,
    SESSION_JWT_COOKIE,
    SESSION_REDIS_COOKIE
};
enum conf_batch_send {
    BATCH_SEND_AUTO,
    BATCH_SEND_IO_URING,
    BATCH_SEND_SEND
};

/* What a key of pushd.api_keys may do. */
enum {
    API_SCOPE_PUBLISH = 1 << 0,
    API_SCOPE_READ = 1 << 1,
    API_SCOPE_ADMIN = 1 << 2, /* everything */
};

/* An element of pushd.api_keys. */
struct conf_api_key {
    char *name;
    char *key;
    struct conf_strings scopes;
    struct conf_strings channels; /* what its channels begin with; none: all channels */
    unsigned scope_bits;          /* of scopes; with admin all of them */
};

/* The object "pushd": options that only we have. */
struct conf_pushd {
    struct conf_strings websocket_listen;
    char *admin_listen;
    char *api_listen;
    int64_t workers; /* 0: one per core */
    int64_t api_threads;
    char *user;
    char *group;
    enum conf_batch_send batch_send;
    bool direct_write; /* default true; false sends only from lws's writable callback */
    int64_t redis_timeout_ms;
    struct conf_strings trusted_proxies;
    int64_t api_max_body_size; /* bytes, default 16 MiB */
    int64_t queue_max_age_ms;  /* 0: any */
    struct conf_api_key *api_keys;
    size_t api_key_count;
    struct {
        char *endpoint;
        char *subscription_endpoint;
        int64_t ttl_ms;
        struct {
            enum conf_session_source source;
            char *variable;
            char *org_variable;
            char *cookie;
            char *jwt_hmac_secret_key;
            char *user_claim;
            char *org_claim;
            char *redis_key;
            char *user_field;
            char *org_field;
        } session;
        struct conf_strings channels;
        bool channels_as_permission; /* channels_as: "subscriptions" (default) or "permission" */
        bool require_org;
        struct conf_strings info_fields; /* members of the session that go into the token's info */
    } token;
};

struct conf {
    struct {
        enum log_level level;
        char *file;
    } log;
    struct {
        char *name; /* never "": the default is HOST_PORT */
        int64_t info_metrics_aggregate_interval_ms;
    } node;
    struct {
        char *address;
        int64_t port;
        bool is_set; /* any http_server option was given */
    } http_server;
    struct {
        int64_t timeout_ms;
    } shutdown;
    char *pid_file;
    struct conf_client client;
    struct conf_channel channel;
    struct {
        char *type; /* "memory" or "redis" */
        struct conf_redis redis;
    } engine;
    struct {
        bool disabled;
        char *handler_prefix;
        int64_t message_size_limit;
        int64_t write_timeout_ms;
        bool compression;
        int64_t compression_level;
        int64_t compression_min_size;
        int64_t decompressed_message_size_limit; /* 0: ten times message_size_limit */
    } websocket;
    struct {
        bool enabled;
        char *handler_prefix;
    } init;
    struct {
        bool disabled;
        char *handler_prefix;
        char *key;
        bool is_error_mode_transport;
        bool insecure;
    } http_api;
    struct {
        bool enabled;
        char *handler_prefix;
        char *password;
        char *secret;
        bool insecure;
    } admin;
    struct {
        bool enabled;
        char *handler_prefix;
    } prometheus;
    struct {
        bool enabled;
        char *handler_prefix;
    } health;
    struct {
        bool enabled;
        char *method;
    } rpc_ping;
    struct conf_pushd pushd;
};

/* A warning found while loading (unknown key, with the nearest known one and the line). */
typedef void (*conf_warn_fn)(const char *text, void *arg);

struct conf_load_opts {
    const char *path; /* NULL: no file, environment and defaults only */
    const char *text; /* instead of a file: its content, for tests and fuzzing */
    size_t text_len;
    char *const *environ; /* NULL: none */
    bool strict;          /* unknown keys are errors */
    conf_warn_fn warn;    /* may be NULL */
    void *warn_arg;
};

/* What a path of pushd.token.info_fields, such as "user.name", becomes in the token's info: "name",
 * borrowed from it. */
const char *conf_info_name(const char *path);

/* Reads, merges and validates. On failure NULL, and e names the file, the line, the option with its
 * path, its value (unless secret) and what to do. A file that does not exist is a warning. Free
 * with conf_free, which wipes the secrets. */
struct conf *conf_load(const struct conf_load_opts *opts, struct err *e);
void conf_free(struct conf *c);

/* Writes the effective configuration as JSON, with every default; secrets as "***" unless
 * with_secrets. */
void conf_print(const struct conf *c, bool with_secrets, struct buf *out);

/* A copy of an address for people: what stands between ':' and '@' of its user part becomes "***".
 */
void conf_url_redact(struct span url, struct buf *out);

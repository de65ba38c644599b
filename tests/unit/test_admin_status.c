/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness, the data of the admin page and the gauges, without HTTP. */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "common/format/jscan.h"
#include "pushd/admin/process.h"
#include "pushd/admin/status.h"
#include "tests/unit/fake_control.h"
#include "tests/unit/prom_text.h"

#include <fcntl.h>
#include <unistd.h>

#define NOW_MS 100000

static struct bus_port ports[3];
static struct bus bus;
static struct control control;
static bool is_draining;
static struct admin_opts opts;
static struct buf out;

static const struct control_node nodes[] = {
    {.uid = {"uid-1", 5},
     .name = {"al\"pha", 6},
     .version = {"0.1.0", 5},
     .num_clients = 5,
     .num_users = 3,
     .num_channels = 7,
     .num_subs = 9,
     .uptime_s = 61,
     .is_self = true},
    {.uid = {"uid-2", 5},
     .name = {"</script>", 9},
     .version = {"6.9.0 OSS", 9},
     .num_clients = 50,
     .num_users = 30,
     .num_channels = 70,
     .num_subs = 90,
     .uptime_s = 3600},
};

static int set_up(void **state)
{
    (void)state;
    metrics_setup();
    clk_fake(NOW_MS, 1700000000000);
    bus = (struct bus){.workers = ARRAY_LEN(ports), .ports = ports};
    control = (struct control){.redis = CONTROL_REDIS_READY,
                               .redis_error = "",
                               .redis_refusal = "",
                               .nodes = nodes,
                               .node_count = ARRAY_LEN(nodes)};
    is_draining = false;
    opts = (struct admin_opts){.bus = &bus,
                               .control = &control,
                               .batch_send = "send",
                               .is_draining = &is_draining,
                               .listen_fd = -1};
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        atomic_store(&ports[i].gauges.heartbeat_ms, NOW_MS - 10);
        atomic_store(&ports[i].gauges.clients, (uint32_t)i + 1);
        atomic_store(&ports[i].gauges.connections, (uint32_t)i + 2);
        atomic_store(&ports[i].gauges.subscriptions, 10);
        atomic_store(&ports[i].gauges.channels, 4);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clk_fake(-1, -1);
    metrics_teardown();
    buf_free(&out);
    return 0;
}

static bool is_ready(const char *expected)
{
    buf_clear(&out);
    bool ready = admin_status_ready(&opts, &out);
    assert_true(jscan_is_valid(buf_span(&out)));
    assert_string_equal(buf_cstr(&out), expected);
    return ready;
}

static void ready_when_redis_and_workers_are_well(void **state)
{
    (void)state;
    assert_true(is_ready("{\"ready\":true,\"redis\":\"ready\",\"workers\":3}\n"));
    atomic_store(&ports[1].gauges.heartbeat_ms, NOW_MS - ADMIN_HEARTBEAT_MAX_MS + 1);
    atomic_store(&ports[2].gauges.heartbeat_ms, NOW_MS + 5);
    assert_true(is_ready("{\"ready\":true,\"redis\":\"ready\",\"workers\":3}\n"));
}

static void every_reason_against_readiness_is_named(void **state)
{
    (void)state;
    control.redis = CONTROL_REDIS_DOWN;
    control.redis_error = "dial tcp redis:6379: connect: \"connection refused\"";
    atomic_store(&ports[0].gauges.heartbeat_ms, 0);
    atomic_store(&ports[2].gauges.heartbeat_ms, NOW_MS - 7999);
    is_draining = true;
    assert_false(
        is_ready("{\"ready\":false,\"reasons\":["
                 "\"redis: dial tcp redis:6379: connect: \\\"connection refused\\\"\","
                 "\"worker 0: not started\",\"worker 2: no heartbeat for 7 s\",\"draining\"]}\n"));
}

static void one_reason_is_enough(void **state)
{
    (void)state;
    control.redis = CONTROL_REDIS_CONNECTING;
    assert_false(is_ready("{\"ready\":false,\"reasons\":[\"redis: connecting\"]}\n"));
    control.redis = CONTROL_REDIS_READY;
    is_draining = true;
    assert_false(is_ready("{\"ready\":false,\"reasons\":[\"draining\"]}\n"));
    is_draining = false;
    atomic_store(&ports[1].gauges.heartbeat_ms, NOW_MS - ADMIN_HEARTBEAT_MAX_MS);
    assert_false(is_ready("{\"ready\":false,\"reasons\":[\"worker 1: no heartbeat for 5 s\"]}\n"));
}

static void assert_contains(const char *part)
{
    if (strstr(buf_cstr(&out), part) == NULL) {
        fail_msg("%s is not in %s", part, buf_cstr(&out));
    }
}

static void page_data_are_valid_json(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    metrics_add(m, METRIC_TRANSPORT_SENT, 0, 12);
    metrics_add(m, METRIC_REPLY_ERRORS,
                METRIC_METHOD_SUBSCRIBE * metrics_code_count() +
                    metrics_code_index(PERR_PERMISSION_DENIED),
                2);
    metrics_add(m, METRIC_SERVER_DISCONNECTS, metrics_code_index(PERR_CLOSE_INVALID_TOKEN), 3);
    metrics_add(m, METRIC_SERVER_DISCONNECTS, metrics_code_index(4321), 1);
    metrics_add(m, METRIC_REFUSALS, METRIC_REFUSAL_403, 4);
    metrics_add(m, METRIC_REDIS_RECONNECTS, 0, 1);
    admin_status_json(&opts, &out);
    assert_true(jscan_is_valid(buf_span(&out)));
    assert_contains("\"node\":{\"uid\":\"uid-1\",\"name\":\"al\\\"pha\",\"version\":\"0.1.0\","
                    "\"num_clients\":5");
    assert_contains("\"ready\":true,\"draining\":false,\"reasons\":[]");
    assert_contains("\"name\":\"\\u003c/script\\u003e\"");
    assert_contains(
        "\"redis\":{\"state\":\"ready\",\"error\":\"\",\"reconnects\":1,"
        "\"shards\":[{\"address\":\"redis:6379\",\"state\":\"ready\",\"error\":\"\"}]}");
    assert_contains(
        "{\"worker\":2,\"connections\":4,\"clients\":3,\"subscriptions\":10,\"channels\":4,"
        "\"heartbeat_age_ms\":10}");
    assert_contains("\"batch_send\":\"send\"");
    assert_contains("\"centrifugo_transport_messages_sent\":12");
    assert_contains("\"centrifugo_node_messages_sent_count\":{\"publication\":0,");
    assert_contains("\"centrifugo_client_num_reply_errors\":{\"subscribe,103\":2}");
    assert_contains("{\"kind\":\"reply\",\"method\":\"subscribe\",\"code\":\"103\",\"reason\":"
                    "\"permission denied\","
                    "\"count\":2}");
    assert_contains("\"code\":\"3500\",\"reason\":\"invalid token\",\"count\":3}");
    assert_contains("\"code\":\"other\",\"reason\":\"chosen by the application\",\"count\":1}");
    assert_contains("{\"kind\":\"handshake\",\"method\":\"\",\"code\":\"403\"");
}

static void page_data_are_valid_json_with_every_counter(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    for (size_t id = 0; id + 1 < METRIC_COUNT; id++) {
        for (size_t label = 0; label < metric_base[id + 1] - metric_base[id]; label++) {
            metrics_add(m, (enum metric)id, (unsigned)label, UINT64_MAX);
        }
    }
    admin_status_json(&opts, &out);
    assert_true(jscan_is_valid(buf_span(&out)));
    assert_contains("18446744073709551615");
}

static void page_data_without_nodes_and_counters_are_valid(void **state)
{
    (void)state;
    control.node_count = 0;
    bus.workers = 0;
    admin_status_json(&opts, &out);
    assert_true(jscan_is_valid(buf_span(&out)));
    assert_contains("\"nodes\":[],");
    assert_contains("\"workers\":[],");
    assert_contains("\"refusals\":[]");
}

static void prometheus_text_has_the_gauges(void **state)
{
    (void)state;
    static struct prom parsed;
    static const struct {
        const char *series;
        double value;
    } expected[] = {
        {"centrifugo_node_num_clients", 6},
        {"centrifugo_node_num_users", 3},
        {"centrifugo_node_num_subscriptions", 30},
        {"centrifugo_node_num_channels", 7},
        {"centrifugo_node_num_nodes", 2},
        {"centrifugo_node_build{version=\"0.1.0\"}", 1},
        {"pushd_redis_up", 0},
        {"pushd_draining", 1},
        {"pushd_batch_send_info{method=\"send\"}", 1},
        {"pushd_worker_connections{worker=\"2\"}", 4},
        {"pushd_worker_heartbeat_age_seconds{worker=\"0\"}", 0.01},
        {"pushd_worker_heartbeat_age_seconds{worker=\"1\"}", -1},
    };
    struct err e = {0};
    control.redis = CONTROL_REDIS_DOWN;
    is_draining = true;
    atomic_store(&ports[1].gauges.heartbeat_ms, 0);
    admin_status_metrics(&opts, &out);
    if (prom_parse(&parsed, buf_span(&out), &e) != 0) {
        fail_msg("%s", e.text);
    }
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        double value = -2;
        assert_true(prom_get(&parsed, expected[i].series, &value));
        assert_true(value == expected[i].value);
    }
    double cpu = 0;
    assert_true(prom_get(&parsed, "process_cpu_seconds_total", &cpu) && cpu > 0);
    assert_true(prom_get(&parsed, "process_resident_memory_bytes", &cpu) && cpu > 100000);
}

static const struct control_redis others[] = {
    {.address = "redis:6380",
     .state = CONTROL_REDIS_DOWN,
     .error = "the connection was lost: EOF",
     .refusal = ""},
    {.address = "redis:6381", .state = CONTROL_REDIS_READY, .error = "", .refusal = ""},
};

static void what_redis_refuses_is_a_warning(void **state)
{
    (void)state;
    control.redis_refusal = "presence: Redis answered: READONLY no";
    assert_true(is_ready("{\"ready\":true,\"redis\":\"ready\",\"warnings\":[\"redis redis:6379: "
                         "presence: Redis answered: READONLY no\"],\"workers\":3}\n"));
}

static void one_of_several_redis_is_named_everywhere(void **state)
{
    (void)state;
    static struct prom parsed;
    double value = -2;
    struct err e = {0};
    control.more = others;
    control.more_count = ARRAY_LEN(others);
    assert_true(is_ready("{\"ready\":true,\"redis\":\"partly down\",\"warnings\":["
                         "\"redis redis:6380: the connection was lost: EOF\"],\"workers\":3}\n"));
    buf_clear(&out);
    admin_status_json(&opts, &out);
    assert_true(jscan_is_valid(buf_span(&out)));
    assert_contains("\"redis\":{\"state\":\"partly down\","
                    "\"error\":\"redis:6380: the connection was lost: EOF\"");
    assert_contains("{\"address\":\"redis:6380\",\"state\":\"down\","
                    "\"error\":\"the connection was lost: EOF\"}");
    buf_clear(&out);
    admin_status_metrics(&opts, &out);
    assert_int_equal(prom_parse(&parsed, buf_span(&out), &e), 0);
    assert_true(prom_get(&parsed, "pushd_redis_up{address=\"redis:6379\"}", &value) && value == 1);
    assert_true(prom_get(&parsed, "pushd_redis_up{address=\"redis:6380\"}", &value) && value == 0);
}

static void several_redis_that_are_all_down_stand_against_readiness(void **state)
{
    (void)state;
    control.redis = CONTROL_REDIS_DOWN;
    control.redis_error = "dial";
    control.more = others;
    control.more_count = 1;
    assert_false(is_ready("{\"ready\":false,\"reasons\":[\"redis redis:6379: dial\","
                          "\"redis redis:6380: the connection was lost: EOF\"]}\n"));
}

static void the_kernel_tells_about_the_process(void **state)
{
    (void)state;
    struct admin_process before;
    struct admin_process after;
    clk_fake(-1, -1);
    admin_process_read(&before, 0);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    admin_process_read(&after, 0);
    close(fd);
    assert_int_equal(after.open_fds, before.open_fds + 1);
    assert_true(before.open_fds >= 3 && before.max_fds >= before.open_fds);
    assert_true(before.virtual_bytes >= before.resident_bytes && before.resident_bytes > 0);
    double age_s = (double)clk_wall_ms() / 1000.0 - before.start_s;
    assert_true(age_s > -1 && age_s < 3600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ready_when_redis_and_workers_are_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_reason_against_readiness_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_reason_is_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_data_are_valid_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(page_data_are_valid_json_with_every_counter, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(page_data_without_nodes_and_counters_are_valid, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(prometheus_text_has_the_gauges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_redis_refuses_is_a_warning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_of_several_redis_is_named_everywhere, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(several_redis_that_are_all_down_stand_against_readiness,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kernel_tells_about_the_process, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

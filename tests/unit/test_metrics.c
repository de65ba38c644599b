/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: slots, labels and the text that Prometheus reads. */
#include "tests/unit/unit.h"

#include "pushd/metrics.h"
#include "tests/unit/prom_text.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct prom parsed;

static int set_up(void **state)
{
    (void)state;
    metrics_setup();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    metrics_teardown();
    return 0;
}

static void parse(struct span text)
{
    struct err e = {0};
    if (prom_parse(&parsed, text, &e) != 0) {
        fail_msg("%s", e.text);
    }
}

static void assert_series(const char *series, double expected)
{
    double value;
    if (!prom_get(&parsed, series, &value)) {
        fail_msg("%s is missing", series);
    }
    if (fabs(value - expected) > 1e-9) {
        fail_msg("%s is %f, not %f", series, value, expected);
    }
}

static void render(struct buf *out)
{
    metrics_render(out);
    parse(buf_span(out));
}

static void reasons_are_met_as_they_come(void **state)
{
    (void)state;
    static char many[METRIC_REASONS + 10][12];
    struct buf out = {0};
    struct metrics *a = metrics_new();
    struct metrics *b = metrics_new();
    metrics_refused(a, "token.expired");
    metrics_refused(a, "channel.limit");
    metrics_refused(b, "channel.limit");
    render(&out);
    assert_series("pushd_refusals_total{reason=\"token.expired\"}", 1);
    assert_series("pushd_refusals_total{reason=\"channel.limit\"}", 2);
    assert_true(strstr(buf_cstr(&out), "channel.limit") < strstr(buf_cstr(&out), "token.expired"));
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        snprintf(many[i], sizeof(many[i]), "many.%zu", i);
        metrics_refused(b, many[i]);
        metrics_refused(b, many[i]);
    }
    buf_clear(&out);
    render(&out);
    assert_series("pushd_refusals_total{reason=\"many.0\"}", 2);
    assert_series("pushd_refusals_total{reason=\"channel.limit\"}", 2);
    /* One place has channel.limit, and the last one is for the rest. */
    assert_series("pushd_refusals_total{reason=\"other\"}",
                  2.0 * (ARRAY_LEN(many) - (METRIC_REASONS - 2)));
    buf_free(&out);
}

static void threads_are_summed(void **state)
{
    (void)state;
    struct metrics *a = metrics_new();
    struct metrics *b = metrics_new();
    metrics_add(a, METRIC_TRANSPORT_SENT, 0, 3);
    metrics_add(b, METRIC_TRANSPORT_SENT, 0, 4);
    assert_int_equal(metrics_sum(METRIC_TRANSPORT_SENT, 0), 7);
    assert_int_equal(metrics_sum(METRIC_TRANSPORT_SENT_BYTES, 0), 0);
}

static void *count_to_a_million(void *arg)
{
    struct metrics *m = arg;
    for (int i = 0; i < 1000000; i++) {
        metrics_add(m, METRIC_COMMANDS, METRIC_METHOD_RPC, 1);
    }
    return NULL;
}

static void counting_in_threads_loses_nothing(void **state)
{
    (void)state;
    pthread_t threads[2];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_to_a_million, metrics_new()), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(metrics_sum(METRIC_COMMANDS, METRIC_METHOD_RPC), 2000000);
    assert_int_equal(metrics_sum(METRIC_COMMANDS, METRIC_METHOD_SEND), 0);
}

static void every_code_of_ours_has_its_own_label(void **state)
{
    (void)state;
    static bool is_used[5000];
    unsigned known = 0;
    for (uint32_t code = 1; code < 5000; code++) {
        unsigned index = metrics_code_index(code);
        assert_in_range(index, 0, metrics_code_count() - 1);
        if (perr_row(code) != NULL) {
            assert_int_not_equal(index, metrics_code_count() - 1);
        }
        if (index != metrics_code_count() - 1) {
            assert_false(is_used[index]);
            is_used[index] = true;
            known++;
        }
    }
    assert_int_equal(known, metrics_code_count() - 1);
    assert_int_equal(metrics_code_index(0), metrics_code_count() - 1);
    assert_int_equal(metrics_code_index(4999), metrics_code_count() - 1);
    assert_int_equal(metrics_code_index(UINT32_MAX), metrics_code_count() - 1);
}

static void text_is_well_formed_before_anything_counted(void **state)
{
    (void)state;
    struct buf out = {0};
    metrics_new();
    render(&out);
    assert_series(
        "centrifugo_node_messages_sent_count{type=\"publication\",channel_namespace=\"\"}", 0);
    assert_series("centrifugo_node_client_connection_limit", 0);
    assert_series("pushd_handshake_refusals_total{status=\"403\"}", 0);
    for (size_t i = 0; i < parsed.n; i++) {
        assert_true(parsed.items[i].is_counter);
        assert_true(span_starts(parsed.items[i].series, SPAN("centrifugo_")) ||
                    span_starts(parsed.items[i].series, SPAN("pushd_")));
    }
    buf_free(&out);
}

static void text_is_well_formed_with_every_counter(void **state)
{
    (void)state;
    struct buf out = {0};
    struct metrics *m = metrics_new();
    unsigned codes = metrics_code_count();
    for (size_t id = 0; id + 1 < METRIC_COUNT; id++) {
        for (size_t label = 0; label < metric_base[id + 1] - metric_base[id]; label++) {
            metrics_add(m, (enum metric)id, (unsigned)label, label + 1);
        }
    }
    render(&out);
    assert_int_equal(parsed.n, metric_base[METRIC_COUNT - 1] + 1); /* the last row has no labels */
    assert_series(
        "centrifugo_node_messages_received_count{type=\"control\",channel_namespace=\"\"}", 4);
    assert_series("centrifugo_client_num_server_disconnects{code=\"other\"}", codes);
    buf_free(&out);
}

static void labels_of_two_sets_are_found_again(void **state)
{
    (void)state;
    struct buf out = {0};
    struct metrics *m = metrics_new();
    unsigned label =
        METRIC_METHOD_SUBSCRIBE * metrics_code_count() + metrics_code_index(PERR_PERMISSION_DENIED);
    metrics_add(m, METRIC_REPLY_ERRORS, label, 2);
    metrics_add(m, METRIC_OUTGOING_CLOSE, metrics_code_index(1009), 1);
    metrics_add(m, METRIC_SERVER_DISCONNECTS, metrics_code_index(4242), 5);
    render(&out);
    assert_series("centrifugo_client_num_reply_errors{method=\"subscribe\",code=\"103\",channel_"
                  "namespace=\"\"}",
                  2);
    assert_series(
        "centrifugo_transport_outgoing_close_count{code=\"1009\",transport=\"websocket\"}", 1);
    assert_series("centrifugo_client_num_server_disconnects{code=\"other\"}", 5);
    double value;
    assert_false(
        prom_get(&parsed, "centrifugo_client_num_server_disconnects{code=\"3500\"}", &value));
    buf_free(&out);
}

static void gauges_keep_their_precision(void **state)
{
    (void)state;
    struct buf out = {0};
    struct buf labels = {0};
    buf_add_char(&labels, '{');
    metrics_label(&labels, "version", SPAN("a\"b\\c\nd"));
    buf_add_char(&labels, '}');
    metrics_gauge(&out, "one", "With a label.", buf_cstr(&labels), 1);
    metrics_gauge(&out, "start", "Large.", "", 1732393000.125);
    metrics_gauge(&out, "bytes", "Larger.", "", 123456789012345.0);
    metrics_family(&out, "two", "gauge", "Several values.");
    metrics_sample(&out, "two", "{worker=\"0\"}", -1);
    metrics_sample(&out, "two", "{worker=\"1\"}", 0.25);
    parse(buf_span(&out));
    assert_series("one{version=\"a\\\"b\\\\c\\nd\"}", 1);
    assert_series("start", 1732393000.125);
    assert_series("bytes", 123456789012345.0);
    assert_series("two{worker=\"1\"}", 0.25);
    buf_clear(&out);
    metrics_gauge(&out, "odd", "Not a number.", "", (double)NAN);
    metrics_gauge(&out, "far", "Infinite.", "", -(double)INFINITY);
    assert_non_null(strstr(buf_cstr(&out), "\nodd NaN\n"));
    assert_non_null(strstr(buf_cstr(&out), "\nfar -Inf\n"));
    buf_free(&out);
    buf_free(&labels);
}

static void the_reader_refuses_what_is_wrong(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a 1\n",
        "# HELP a b\n# TYPE a gauge\na 1",
        "# HELP a b\n# TYPE a gauge\na{x=1} 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1\" 1\n",
        "# HELP a b\n# TYPE a gauge\na 1\na 2\n",
        "# HELP a b\n# TYPE a gauge\nb 1\n",
        "# HELP a b\n# TYPE a counter\na -1\n",
        "# HELP a b\n# TYPE a counter\n# HELP a b\n# TYPE a counter\n",
        "# TYPE a gauge\na 1\n",
        "# HELP a b\n# TYPE a gauge\na one\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_not_equal(prom_parse(&parsed, span_str(wrong[i]), NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reasons_are_met_as_they_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_are_summed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counting_in_threads_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_code_of_ours_has_its_own_label, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_is_well_formed_before_anything_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(text_is_well_formed_with_every_counter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels_of_two_sets_are_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gauges_keep_their_precision, set_up, tear_down),
        cmocka_unit_test(the_reader_refuses_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

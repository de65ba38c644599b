/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics of a node's pings. */
#include "pushd/control/figures.h"

#include "tests/unit/unit.h"

static long value_of(struct figures *f, const char *name)
{
    const struct node_metrics *m = figures_last(f);
    const struct kv_dbl *items = m->items.items;
    for (size_t i = 0; i < m->items.n; i++) {
        if (span_eq_str(items[i].key, name)) {
            return (long)items[i].value;
        }
    }
    return -1;
}

static void counters_are_told_by_their_growth(void **state)
{
    (void)state;
    metrics_setup();
    struct metrics *m = metrics_new();
    const struct control_node self = {.num_clients = 5, .num_channels = 2};
    struct figures f;
    figures_init(&f, 60000, 1000);
    metrics_add(m, METRIC_MESSAGES_SENT, METRIC_TYPE_JOIN, 7);
    metrics_add(m, METRIC_REPLY_ERRORS,
                METRIC_METHOD_PUBLISH * metrics_code_count() + metrics_code_index(103), 2);
    assert_false(figures_renew(&f, &self, 60999));
    assert_null(figures_last(&f));
    assert_true(figures_renew(&f, &self, 61000));
    assert_int_equal((long)figures_last(&f)->interval, 60);
    assert_int_equal(value_of(&f, "centrifugo.node.num_clients"), 5);
    assert_int_equal(value_of(&f, "centrifugo.node.num_users"), 0);
    assert_int_equal(value_of(&f, "centrifugo.node.num_channels"), 2);
    assert_int_equal(value_of(&f, "centrifugo.node.messages_sent_count.join"), 7);
    assert_int_equal(value_of(&f, "centrifugo.client.num_reply_errors.publish.103"), 2);
    assert_int_equal(value_of(&f, "centrifugo.node.messages_sent_count.leave"), -1);
    metrics_add(m, METRIC_MESSAGES_SENT, METRIC_TYPE_JOIN, 1);
    assert_false(figures_renew(&f, &self, 120999));
    assert_int_equal(value_of(&f, "centrifugo.node.messages_sent_count.join"), 7);
    assert_true(figures_renew(&f, &self, 121000));
    assert_int_equal(value_of(&f, "centrifugo.node.messages_sent_count.join"), 1);
    assert_int_equal(value_of(&f, "centrifugo.client.num_reply_errors.publish.103"), -1);
    figures_fini(&f);
    metrics_teardown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_told_by_their_growth),
    };
    return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}

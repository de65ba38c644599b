/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoints: sessions, templates, and three kinds of refusals that nobody can mistake for
 * each other. */
#include "tests/unit/unit.h"

#include "common/base/clk.h"
#include "fcgi/session.h"
#include "fcgi/template.h"
#include "tests/unit/fcgi_fixture.h"
#include "tests/unit/redis_server.h"
#include "tests/unit/token_make.h"

#include <stdio.h>
#include <unistd.h>

#define ENDPOINT     "/api/v1/centrifugo/token"
#define SUB_ENDPOINT "/api/v1/centrifugo/subscription_token"

static const char with_variables[] =
    "{\"client\":{\"token\":{\"hmac_secret_key\":\"secret\"}},\"pushd\":{\"token\":{\"ttl\":"
    "\"10m\",\"require_org\":true,"
    "\"channels\":[\"org:{org}:messages\",\"org:{org}:tickets\",\"personal:{user}\",\"news\"]}}}";
static const char with_permission[] =
    "{\"client\":{\"token\":{\"hmac_secret_key\":\"secret\"}},\"pushd\":{\"token\":{"
    "\"channels\":[\"org:{org}:messages\"],\"channels_as\":\"permission\"}}}";
static const char with_jwt[] = "{\"client\":{\"token\":{\"hmac_secret_key\":\"secret\"}},\"pushd\":"
                               "{\"token\":{\"session\":{\"source\":\"jwt_cookie\","
                               "\"jwt_hmac_secret_key\":\"session-secret\",\"user_claim\":\"sub\","
                               "\"org_claim\":\"app.orgs\"}}}}";
static const char with_redis[] = "{\"client\":{\"token\":{\"hmac_secret_key\":\"secret\"}},"
                                 "\"pushd\":{\"token\":{\"session\":{\"source\":\"redis_cookie\"},"
                                 "\"channels\":[\"org:{org}\"]}}}";
static const char with_jwt_orgs[] =
    "{\"client\":{\"token\":{\"hmac_secret_key\":\"secret\"}},\"pushd\":{\"token\":{"
    "\"channels\":[\"org:{org}\"],"
    "\"session\":{\"source\":\"jwt_cookie\",\"jwt_hmac_secret_key\":\"session-secret\"}}}}";
static const char with_info[] =
    "{\"client\":{\"token\":{\"hmac_secret_key\":\"secret\"}},\"pushd\":{\"token\":{"
    "\"info_fields\":[\"name\",\"profile.image\",\"missing\",\"profile.absent\",\"name.first\"],"
    "\"channels\":[\"news\"],\"channels_as\":\"permission\","
    "\"session\":{\"source\":\"jwt_cookie\",\"jwt_hmac_secret_key\":\"session-secret\"}}}}";
static const char without_sub_secret[] = "{\"client\":{\"token\":{\"hmac_secret_key\":\"secret\"},"
                                         "\"subscription_token\":{\"enabled\":true}},"
                                         "\"pushd\":{\"token\":{\"channels\":[\"news\"]}}}";
static const char only_sub_secret[] =
    "{\"client\":{\"subscription_token\":{\"enabled\":true,\"hmac_secret_key\":\"secret\"}},"
    "\"pushd\":{\"token\":{\"channels\":[\"news\"]}}}";
static const char with_jwks[] = "{\"client\":{\"token\":{\"hmac_secret_key\":\"secret\",\"jwks_"
                                "public_endpoint\":\"https://id.example/k\"}},"
                                "\"pushd\":{\"token\":{\"channels\":[\"news\"]}}}";
static const char without_secret[] = "{\"pushd\":{\"token\":{\"channels\":[\"news\"]}}}";

static struct fcgi_fixture f;

/* The token of the last answer, verified. */
static struct token_connect verified(struct arena *a)
{
    struct err e;
    struct token_connect t = {0};
    const char *from = strstr(fcgi_body(&f), "{\"token\":\"");
    assert_non_null(from);
    from += 10;
    struct token_verifier *v = token_verifier_new(&f.conf->client.token, false, &e);
    struct perr_result rc =
        token_read_connect(v, span_of(from, strcspn(from, "\"")), clk_wall_s(), a, &t);
    assert_int_equal(rc.code, 0);
    token_verifier_free(v);
    return t;
}

static void assert_text(struct span s, const char *text)
{
    assert_int_equal(s.n, strlen(text));
    assert_memory_equal(s.p, text, s.n);
}

static void a_session_of_variables_gets_a_token(void **state)
{
    char *const variables[] = {(char[]){"REMOTE_USER=42"}, (char[]){"REMOTE_ORGS=7, 8"}, NULL};
    struct arena a = {0};
    (void)state;
    fcgi_fixture_open(&f, with_variables, NULL);
    int64_t before_s = clk_wall_s();
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, variables), 200);
    assert_true(f.response.no_store);
    struct token_connect t = verified(&a);
    assert_text(t.user, "42");
    assert_int_equal(t.sub_count, 6);
    assert_text(t.subs[0].channel, "org:7:messages");
    assert_true(t.expire_at >= before_s + 600 && t.expire_at <= clk_wall_s() + 600);
    assert_non_null(strstr(fcgi_body(&f), "\"expires_in\":600,\"channels\":[\"org:7:messages\","
                                          "\"org:8:messages\",\"org:7:tickets\""));
    assert_int_equal(fcgi_call(&f, "PUT", ENDPOINT, NULL, variables), 405);
    arena_fini(&a);
    fcgi_fixture_close(&f);
}

static void each_refusal_has_its_own_status_and_text(void **state)
{
    char *const user_only[] = {(char[]){"REMOTE_USER=42"}, NULL};
    char *const odd_org[] = {(char[]){"REMOTE_USER=42"}, (char[]){"REMOTE_ORGS=7:messages#1"},
                             NULL};
    (void)state;
    fcgi_fixture_open(&f, with_variables, NULL);
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, NULL), 401);
    assert_non_null(strstr(fcgi_body(&f), "\"message\":\"not authenticated\""));
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, user_only), 403);
    assert_non_null(strstr(fcgi_body(&f), "\"message\":\"no organization access\""));
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, odd_org), 403);
    fcgi_fixture_close(&f);
    fcgi_fixture_open(&f, without_secret, NULL);
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, user_only), 503);
    assert_non_null(strstr(fcgi_body(&f), "CENTRIFUGO_TOKEN_HMAC_SECRET_KEY not configured"));
    fcgi_fixture_close(&f);
    fcgi_fixture_open(&f, without_sub_secret, NULL);
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, user_only), 200);
    assert_int_equal(fcgi_call(&f, "GET", SUB_ENDPOINT "?channel=news", NULL, user_only), 503);
    assert_non_null(
        strstr(fcgi_body(&f), "client.subscription_token.hmac_secret_key not configured"));
    fcgi_fixture_close(&f);
    fcgi_fixture_open(&f, only_sub_secret, NULL);
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, user_only), 503);
    assert_int_equal(fcgi_call(&f, "GET", SUB_ENDPOINT "?channel=news", NULL, user_only), 200);
    fcgi_fixture_close(&f);
    /* pushd takes tokens of the JWKS only. */
    fcgi_fixture_open(&f, with_jwks, NULL);
    const char *const endpoints[] = {ENDPOINT, SUB_ENDPOINT "?channel=news"};
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        assert_int_equal(fcgi_call(&f, "GET", endpoints[i], NULL, user_only), 503);
        assert_string_equal(f.response.reason, "token.jwks");
    }
    fcgi_fixture_close(&f);
}

static void permission_gives_channels_one_by_one(void **state)
{
    char *const variables[] = {(char[]){"REMOTE_USER=42"}, (char[]){"REMOTE_ORGS=7"}, NULL};
    struct arena a = {0};
    (void)state;
    fcgi_fixture_open(&f, with_permission, NULL);
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, variables), 200);
    assert_int_equal(verified(&a).sub_count, 0);
    assert_int_equal(fcgi_call(&f, "GET", SUB_ENDPOINT "?channel=org:7:messages", NULL, variables),
                     200);
    assert_int_equal(
        fcgi_call(&f, "POST", SUB_ENDPOINT, "{\"channel\":\"org:7:messages\"}", variables), 200);
    assert_int_equal(fcgi_call(&f, "GET", SUB_ENDPOINT "?channel=org:8:messages", NULL, variables),
                     403);
    assert_int_equal(fcgi_call(&f, "GET", SUB_ENDPOINT, NULL, variables), 400);
    assert_int_equal(fcgi_call(&f, "POST", SUB_ENDPOINT, "{\"channel\":1}", variables), 400);
    assert_int_equal(fcgi_call(&f, "GET", SUB_ENDPOINT "?channel=org:7:messages", NULL, NULL), 401);
    arena_fini(&a);
    fcgi_fixture_close(&f);
}

static int call_with_jwt(const struct token_mint *m, const char *key)
{
    struct buf cookie = {0};
    struct err e;
    buf_add_str(&cookie, "HTTP_COOKIE=x=1; session=");
    assert_int_equal(token_mint(m, span_str(key), &cookie, &e), 0);
    char *const variables[] = {(char *)(uintptr_t)buf_cstr(&cookie), NULL};
    int status = fcgi_call(&f, "GET", ENDPOINT, NULL, variables);
    buf_free(&cookie);
    return status;
}

static void a_session_may_be_a_signed_cookie(void **state)
{
    struct arena a = {0};
    struct token_mint m = {.user = SPAN("u1"), .iat = clk_wall_s(), .exp = clk_wall_s() + 60};
    (void)state;
    fcgi_fixture_open(&f, with_jwt, NULL);
    assert_int_equal(call_with_jwt(&m, "session-secret"), 200);
    assert_text(verified(&a).user, "u1");
    assert_int_equal(call_with_jwt(&m, "other"), 401);
    assert_string_equal(f.response.reason, "token.signature");
    m.exp = clk_wall_s() - 60;
    assert_int_equal(call_with_jwt(&m, "session-secret"), 401);
    m.exp = 0;
    m.omit_sub = true;
    assert_int_equal(call_with_jwt(&m, "session-secret"), 401);
    char *const garbage[] = {(char[]){"HTTP_COOKIE=session=a.b.c"}, NULL};
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, garbage), 401);
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, NULL), 401);
    assert_string_equal(f.response.reason, "session.no_cookie");
    arena_fini(&a);
    fcgi_fixture_close(&f);
}

/* Claims as libraries of session cookies write them. */
static int call_with_claims(const char *json)
{
    struct buf token = {0};
    struct buf cookie = {0};
    make_hmac(&token, SPAN("{\"alg\":\"HS256\"}"), span_str(json), SPAN("session-secret"), 256);
    buf_addf(&cookie, "HTTP_COOKIE=session=%s", buf_cstr(&token));
    char *const variables[] = {(char *)(uintptr_t)buf_cstr(&cookie), NULL};
    int status = fcgi_call(&f, "GET", ENDPOINT, NULL, variables);
    buf_free(&token);
    buf_free(&cookie);
    return status;
}

static void a_session_cookie_has_claims_of_its_own(void **state)
{
    struct arena a = {0};
    (void)state;
    fcgi_fixture_open(&f, with_jwt, NULL);
    assert_int_equal(call_with_claims("{\"sub\":42}"), 200);
    assert_text(verified(&a).user, "42");
    assert_int_equal(call_with_claims("{\"sub\":\"u\",\"channel\":\"a\",\"channels\":1,\"info\":2,"
                                      "\"subs\":[],\"client\":{},\"override\":1,\"jti\":7,"
                                      "\"b64info\":\"*\",\"meta\":null}"),
                     200);
    assert_int_equal(call_with_claims("{\"sub\":\"u\",\"exp\":\"soon\"}"), 401);
    assert_int_equal(call_with_claims("{\"sub\":\"u\",\"exp\":1}"), 401);
    assert_int_equal(call_with_claims("{\"sub\":\"u\",\"nbf\":9000000000}"), 401);
    arena_fini(&a);
    fcgi_fixture_close(&f);
}

static void fields_of_the_session_become_the_info(void **state)
{
    static const struct {
        const char *claims;
        const char *info; /* NULL: none */
    } rows[] = {
        {"{\"sub\":\"u\",\"name\":\"Ada\",\"profile\":{\"image\": [1, \"<\"]},\"other\":1}",
         "{\"name\":\"Ada\",\"image\":[1, \"<\"]}"},
        {"{\"sub\":\"u\",\"name\":null,\"profile\":7}", "{\"name\":null}"},
        {"{\"sub\":\"u\",\"profile\":{}}", NULL},
    };
    struct arena a = {0};
    (void)state;
    fcgi_fixture_open(&f, with_info, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(call_with_claims(rows[i].claims), 200);
        struct span info = verified(&a).info;
        if (rows[i].info != NULL) {
            assert_text(info, rows[i].info);
        } else {
            assert_null(info.p);
        }
    }
    assert_int_equal(call_with_claims("{\"sub\":\"u\",\"name\":\"\xff\"}"), 401);
    arena_fini(&a);
    fcgi_fixture_close(&f);
}

static void no_organisation_is_left_out_silently(void **state)
{
    struct buf json = {0};
    (void)state;
    fcgi_fixture_open(&f, with_jwt_orgs, NULL);
    buf_add_str(&json, "{\"sub\":\"u\",\"orgs\":[");
    for (int i = 0; i < SESSION_MAX_ORGS; i++) {
        buf_addf(&json, "%d,", i);
    }
    json.p[json.n - 1] = ']';
    buf_add_char(&json, '}');
    assert_int_equal(call_with_claims(buf_cstr(&json)), 200);
    json.n -= 2;
    buf_add_str(&json, ",1024]}");
    assert_int_equal(call_with_claims(buf_cstr(&json)), 403);
    assert_string_equal(f.response.reason, "session.too_many_orgs");
    buf_free(&json);
    fcgi_fixture_close(&f);
}

static void a_session_may_live_in_redis(void **state)
{
    struct redis_server server;
    struct arena a = {0};
    char *const cookie[] = {(char[]){"HTTP_COOKIE=session=abc-1"}, NULL};
    char *const injection[] = {(char[]){"HTTP_COOKIE=session=abc:1"}, NULL};
    (void)state;
    if (!redis_server_start(&server)) {
        skip();
    }
    fcgi_fixture_open(&f, with_redis, server.socket);
    redisContext *c = redis_server_connect(&server);
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, cookie), 401);
    assert_string_equal(f.response.reason, "session.unknown");
    freeReplyObject(redisCommand(
        c, "SET session:abc-1 %s",
        "{\"user\":{\"id\":42},\"organizations\":[{\"id\":\"o1\"},{\"name\":\"x\"},7]}"));
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, cookie), 200);
    struct token_connect t = verified(&a);
    assert_text(t.user, "42");
    assert_int_equal(t.sub_count, 2);
    assert_text(t.subs[0].channel, "org:o1");
    assert_text(t.subs[1].channel, "org:7");
    freeReplyObject(redisCommand(c, "SET session:abc:1 %s", "{\"user\":{\"id\":1}}"));
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, injection), 401);
    assert_string_equal(f.response.reason, "session.cookie_characters");
    freeReplyObject(redisCommand(c, "SET session:abc-1 no-json"));
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, cookie), 401);
    redis_server_kill(&server);
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, cookie), 503);
    redisFree(c);
    arena_fini(&a);
    fcgi_fixture_close(&f);
    redis_server_stop(&server);
}

static void sessions_are_read_from_json(void **state)
{
    struct arena a = {0};
    struct session s = {0};
    (void)state;
    assert_true(session_from_json(
        SPAN("{\"u\":{\"id\":\"x\"},\"u\":{\"id\":\"y\"},\"o\":\"a, b c\"}"), "u.id", "o", &a, &s));
    assert_text(s.user, "y");
    assert_int_equal(s.orgs.n, 3);
    const char *const wrong[] = {"",
                                 "null",
                                 "[]",
                                 "{}",
                                 "{\"u\":1}",
                                 "{\"u\":{\"id\":null}}",
                                 "{\"u\":{\"id\":1.5}}",
                                 "{\"u\":{\"id\":\"\"}}",
                                 "{\"u\":{\"id\":1}} x"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        s = (struct session){0};
        assert_false(session_from_json(span_str(wrong[i]), "u.id", "o", &a, &s));
        assert_non_null(s.detail);
    }
    arena_fini(&a);
}

static void cookies_cannot_leave_their_key(void **state)
{
    (void)state;
    assert_true(session_cookie_is_safe(SPAN("aZ0-_.~")));
    const char *const wrong[] = {"",    "a:b", "a b",  "a\r\nb",  "a*",
                                 "{a}", "a/b", "a%3A", "\xc3\xa9"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(session_cookie_is_safe(span_str(wrong[i])));
    }
    char longest[SESSION_MAX_COOKIE + 1];
    memset(longest, 'a', sizeof(longest));
    assert_true(session_cookie_is_safe(span_of(longest, SESSION_MAX_COOKIE)));
    assert_false(session_cookie_is_safe(span_of(longest, sizeof(longest))));
}

static void values_cannot_change_a_channels_meaning(void **state)
{
    (void)state;
    fcgi_fixture_open(&f, with_variables, NULL);
    const char *const good[] = {"42", "a-b_c.d", "me@example.com", "auth0|1", "x/y", "A=b+c"};
    const char *const wrong[] = {"",    "a:b", "a#1", "{user}", "a}", "$a",       "&a",
                                 "a,b", "a b", "\n",  "*",      "a?", "\xc3\xa9", "a\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(template_value_is_safe(f.conf, span_str(good[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_false(template_value_is_safe(f.conf, span_str(wrong[i])));
    }
    f.conf->channel.namespace_boundary[0] = '/';
    assert_false(template_value_is_safe(f.conf, SPAN("x/y")));
    fcgi_fixture_close(&f);
}

static void too_many_channels_are_refused(void **state)
{
    struct buf orgs = {0};
    (void)state;
    fcgi_fixture_open(&f, with_variables, NULL);
    buf_add_str(&orgs, "REMOTE_ORGS=");
    for (int i = 0; i < 600; i++) {
        buf_addf(&orgs, "%d ", i);
    }
    char *const variables[] = {(char[]){"REMOTE_USER=42"}, (char *)(uintptr_t)buf_cstr(&orgs),
                               NULL};
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, variables), 403);
    orgs.n = strlen("REMOTE_ORGS=") + 1200;
    char *const fewer[] = {(char[]){"REMOTE_USER=42"}, (char *)(uintptr_t)buf_cstr(&orgs), NULL};
    assert_int_equal(fcgi_call(&f, "GET", ENDPOINT, NULL, fewer), 200);
    buf_free(&orgs);
    fcgi_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_of_variables_gets_a_token),
        cmocka_unit_test(each_refusal_has_its_own_status_and_text),
        cmocka_unit_test(permission_gives_channels_one_by_one),
        cmocka_unit_test(a_session_may_be_a_signed_cookie),
        cmocka_unit_test(a_session_cookie_has_claims_of_its_own),
        cmocka_unit_test(fields_of_the_session_become_the_info),
        cmocka_unit_test(no_organisation_is_left_out_silently),
        cmocka_unit_test(a_session_may_live_in_redis),
        cmocka_unit_test(sessions_are_read_from_json),
        cmocka_unit_test(cookies_cannot_leave_their_key),
        cmocka_unit_test(values_cannot_change_a_channels_meaning),
        cmocka_unit_test(too_many_channels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

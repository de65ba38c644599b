/* SPDX-License-Identifier: Apache-2.0 */
/* Times and codes in words. */
#include "pushctl/words.h"

#include <stdio.h>
#include <time.h>

#include "common/base/err.h"

static const struct {
    int64_t s;
    const char *name;
    char suffix;
} units[] = {
    {86400, "day", 'd'},
    {3600, "h", 'h'},
    {60, "min", 'm'},
    {1, "s", 's'},
};

static void add_unit(struct buf *b, int64_t n, size_t unit)
{
    buf_addf(b, "%lld %s%s", (long long)n, units[unit].name, unit == 0 && n != 1 ? "s" : "");
}

void words_add_duration(struct buf *b, int64_t s)
{
    s = s < 0 ? -s : s;
    size_t unit = 0;
    while (unit + 1 < ARRAY_LEN(units) && s < units[unit].s) {
        unit++;
    }
    add_unit(b, s / units[unit].s, unit);
    int64_t rest = s % units[unit].s;
    if (unit < 2 && rest >= units[unit + 1].s) {
        buf_add_char(b, ' ');
        add_unit(b, rest / units[unit + 1].s, unit + 1);
    }
}

void words_add_moment(struct buf *b, int64_t at_s, int64_t now_s)
{
    char text[64];
    struct tm tm;
    time_t at = (time_t)at_s;
    if (at_s == now_s) {
        buf_add_str(b, "just now");
    } else {
        buf_add_str(b, at_s > now_s ? "in " : "");
        words_add_duration(b, at_s - now_s);
        buf_add_str(b, at_s > now_s ? "" : " ago");
    }
    if (gmtime_r(&at, &tm) != NULL && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) != 0) {
        buf_addf(b, " (%s UTC)", text);
    }
}

int words_parse_duration(const char *text, int64_t *out_s)
{
    struct span s = span_str(text);
    int64_t n = 0;
    int64_t factor = 1;
    if (span_eq_str(s, "-1")) {
        *out_s = -1;
        return 0;
    }
    for (size_t i = 0; s.n != 0 && i < ARRAY_LEN(units); i++) {
        if (s.p[s.n - 1] == units[i].suffix) {
            factor = units[i].s;
            s.n--;
            break;
        }
    }
    int rc = span_to_i64(s, &n);
    if (rc != 0) {
        return rc;
    }
    const int64_t century = INT64_C(100) * 366 * 86400;
    if (n <= 0 || n > century / factor) {
        return ERR_RANGE;
    }
    *out_s = n * factor;
    return 0;
}

bool words_sdk_reconnects(uint32_t close_code)
{
    bool is_terminal =
        (close_code >= 3500 && close_code < 4000) || (close_code >= 4500 && close_code < 5000);
    return close_code != 1009 && !is_terminal;
}

static const struct {
    uint32_t code;
    const char *advice;
} advices[] = {
    {100, "the log of the server has the reason; often Redis is away"},
    {101, "the application's backend refused it"},
    {102, "add the text before the first colon to channel.namespaces, or use no colon"},
    {103, "the namespace lacks allow_..._for_client; or use pushctl gensubtoken"},
    {105, "this connection has the channel already"},
    {106, "see client.channel_limit and channel.max_length"},
    {107, "look at the data (publication_data_format) and the channel (channel_regex, ASCII)"},
    {108, "presence, history_size with history_ttl and others are options of a namespace"},
    {109, "pushctl checktoken shows exp and nbf; compare the clocks"},
    {110, "expire_at of the token lies in the past"},
    {112, "history has forgotten what was missed: see history_size and history_ttl"},
    {1001, "the server or a web server in between is going away"},
    {1006, "the connection broke without a word: is there a timeout in between?"},
    {1009, "see websocket.message_size_limit"},
    {3000, "the connection was closed without a reason"},
    {3001, "the server stops or restarts"},
    {3004, "the log of the server has the reason"},
    {3005, "the connection token expired and no refresh came in time"},
    {3006, "a subscription token expired and no sub_refresh came in time"},
    {3008, "messages arrive faster than the client reads: see client.queue_max_size"},
    {3010, "a position was lost; after reconnecting the client recovers from history"},
    {3012, "no answer came to a ping within client.pong_timeout"},
    {3500, "pushctl checktoken TOKEN says what is wrong with the token"},
    {3501, "connect has to come first, with a token; all but a pong needs an id"},
    {3502, "no connect came within client.stale_close_delay"},
    {3503, "somebody disconnected this client through the server API"},
    {3504, "see client.user_connection_limit"},
    {3505, "see client.channel_limit"},
    {3506, "a payload that is not JSON was to go to a JSON client"},
    {3507, "see client.disallow_anonymous_connection_tokens; or the application refused it"},
    {3508, "the command is not available on this server"},
};

const char *words_advice(uint32_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(advices); i++) {
        if (advices[i].code == code) {
            return advices[i].advice;
        }
    }
    return NULL;
}

void words_add_clean(struct buf *b, struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool is_c1 = c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0;
        buf_add_char(b, c < 0x20 || c == 0x7f || is_c1 ? '?' : (char)c);
        i += is_c1 ? 1 : 0;
    }
}

void words_print_clean(struct span text)
{
    struct buf b = {0};
    words_add_clean(&b, text);
    fwrite(b.p != NULL ? b.p : "", 1, b.n, stdout);
    buf_free(&b);
}

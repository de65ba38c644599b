/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing straight into Redis, without the server's API. */
#include "tests/bench/publisher.h"

#include "tests/bench/payload.h"
#include "tests/bench/util.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HISTORY_SIZE    "1000"
#define HISTORY_TTL_SEC "300"
#define EPOCH           "bench" /* of a stream that nobody has asked for yet */

/* KEYS: stream, meta, PUB/SUB channel; ARGV: publication, "1" for delta. */
static const char stream_script[] =
    "local offset = redis.call('HINCRBY', KEYS[2], 's', 1) "
    "redis.call('HSETNX', KEYS[2], 'e', '" EPOCH "') "
    "local at = offset .. ':' .. redis.call('HGET', KEYS[2], 'e') "
    "local head = '__p1:' .. at .. '__' "
    "if ARGV[2] == '1' then "
    "local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1] "
    "local prev = last and last[2][2] or '' "
    "head = '__d1:' .. at .. ':' .. #prev .. ':' .. prev .. ':' .. #ARGV[1] .. ':' end "
    "redis.call('XADD', KEYS[1], 'MAXLEN', " HISTORY_SIZE ", offset, 'd', ARGV[1]) "
    "redis.call('EXPIRE', KEYS[1], " HISTORY_TTL_SEC ") "
    "return redis.call('PUBLISH', KEYS[3], head .. ARGV[1])";

struct redis_publisher {
    struct source src;
    struct publisher pub;
    struct poller *poller;
    struct publisher_opts opts;
    int fd;
    bool wants_write;
    struct obuf out;
    size_t in_len;
    char in[16384];
};

static struct redis_publisher *of(struct publisher *p)
{
    return (struct redis_publisher *)((char *)p - offsetof(struct redis_publisher, pub));
}

static void redis_flush(struct publisher *p)
{
    struct redis_publisher *rp = of(p);
    int rc = obuf_flush(&rp->out, rp->fd);
    if (rc < 0)
        die("the connection to Redis broke: %s", strerror(errno));
    if (rp->wants_write != (rc == 1)) {
        rp->wants_write = rc == 1;
        poller_change(rp->poller, rp->fd, &rp->src, EPOLLIN | (rc ? EPOLLOUT : 0));
    }
}

static void bytes_put(struct obuf *out, const void *bytes, size_t n)
{
    obuf_addf(out, "$%zu\r\n", n);
    obuf_add(out, bytes, n);
    obuf_add(out, "\r\n", 2);
}

static void text_put(struct obuf *out, const char *text)
{
    bytes_put(out, text, strlen(text));
}

/* A key or PUB/SUB channel: PREFIX KIND CHANNEL. */
static void name_put(struct redis_publisher *rp, const char *kind, const char *channel)
{
    size_t n = strlen(rp->opts.prefix) + strlen(kind) + strlen(channel);
    obuf_addf(&rp->out, "$%zu\r\n%s%s%s\r\n", n, rp->opts.prefix, kind, channel);
}

static void redis_publish(struct publisher *p, unsigned channel, const char *data, size_t n)
{
    struct redis_publisher *rp = of(p);
    struct obuf *out = &rp->out;
    const struct feature *f = rp->opts.feature;
    uint8_t publication[PAYLOAD_MAX + 64];
    size_t len = payload_publication_put(publication, data, n, f->has_tags);
    const char *name = rp->opts.channels->name[channel];
    if (f->form == PUBLISH_PLAIN) {
        obuf_addf(out, "*3\r\n");
        text_put(out, "PUBLISH");
        name_put(rp, ".client.", name);
        bytes_put(out, publication, len);
    } else {
        obuf_addf(out, "*8\r\n");
        text_put(out, "EVAL");
        text_put(out, stream_script);
        text_put(out, "3");
        name_put(rp, ".stream.", name);
        name_put(rp, ".stream.meta.", name);
        name_put(rp, ".client.", name);
        bytes_put(out, publication, len);
        text_put(out, f->form == PUBLISH_DELTA ? "1" : "");
    }
    p->sent++;
}

/* Answers are `:RECEIVERS`; none means that the server does not listen to the channel in Redis. */
static void read_line(struct redis_publisher *rp, const char *line)
{
    if (*line == '-')
        die("Redis refused a command: %s", line);
    if (*line != ':')
        return; /* +OK of AUTH */
    rp->pub.answered++;
    if (line[1] == '0' && !rp->pub.failed++)
        note("nobody receives %s.client.%s in Redis: is this the server's Redis and prefix?",
             rp->opts.prefix, rp->opts.channels->name[0]);
}

static void redis_ready(struct source *s, uint32_t events)
{
    struct redis_publisher *rp = (struct redis_publisher *)s;
    if (events & EPOLLOUT)
        redis_flush(&rp->pub);
    ssize_t n = recv(rp->fd, rp->in + rp->in_len, sizeof(rp->in) - rp->in_len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        die("Redis closed the connection");
    rp->in_len += (size_t)n;
    size_t off = 0;
    for (char *end; (end = memchr(rp->in + off, '\n', rp->in_len - off));
         off = (size_t)(end + 1 - rp->in)) {
        *end = 0;
        read_line(rp, rp->in + off);
    }
    memmove(rp->in, rp->in + off, rp->in_len - off);
    rp->in_len -= off;
}

static void redis_free(struct publisher *p)
{
    struct redis_publisher *rp = of(p);
    close(rp->fd);
    free(rp->out.data);
    free(rp);
}

struct publisher *publisher_redis_new(const struct publisher_opts *o)
{
    struct redis_publisher *rp = xcalloc(1, sizeof(*rp));
    rp->src.ready = redis_ready;
    rp->poller = o->poller;
    rp->opts = *o;
    rp->pub.publish = redis_publish;
    rp->pub.flush = redis_flush;
    rp->pub.free = redis_free;
    rp->fd = target_connect(o->target, 0);
    if (rp->fd < 0)
        die("cannot connect to Redis at %s: %s", o->target->name, strerror(errno));
    poller_add(rp->poller, rp->fd, &rp->src, EPOLLIN);
    if (*o->target->password)
        obuf_addf(&rp->out, "AUTH %s\r\n", o->target->password);
    return &rp->pub;
}

static bool answers_ping(const struct target *t)
{
    char answer[64];
    int fd = target_connect(t, 0);
    if (fd < 0)
        return false;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    bool ok = poll(&wait, 1, 100) == 1 && send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6;
    wait.events = POLLIN;
    ok = ok && poll(&wait, 1, 1000) == 1 && recv(fd, answer, sizeof(answer), 0) > 0 &&
         (*answer == '+' || !memcmp(answer, "-NOAUTH", 7));
    close(fd);
    return ok;
}

bool redis_wait(const struct target *t, unsigned timeout_sec)
{
    uint64_t deadline = now_ns() + timeout_sec * NS_PER_SEC;
    while (!answers_ping(t)) {
        if (now_ns() > deadline)
            return false;
        sleep_until_ns(now_ns() + 10 * NS_PER_MS);
    }
    return true;
}

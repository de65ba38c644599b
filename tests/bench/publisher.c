/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to make a server send a publication: the floor's control socket and the HTTP API. */
#include "tests/bench/publisher.h"

#include "tests/bench/http.h"
#include "tests/bench/payload.h"
#include "tests/bench/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct floor_publisher {
    struct publisher pub;
    const struct floor *floor;
    const struct sample *sample;
    const struct channels *channels;
    struct floor_order *order;
};

static size_t own_frame_put(struct floor_publisher *fp, const char *data, size_t n)
{
    char body[PAYLOAD_MAX + 512];
    int len =
        snprintf(body, sizeof(body), "{\"push\":{\"channel\":\"%s\",\"pub\":{\"data\":%.*s}}}",
                 fp->channels->name[0], (int)n, data);
    size_t header = ws_header_put((uint8_t *)fp->order->frame, 1, (size_t)len);
    memcpy(fp->order->frame + header, body, (size_t)len);
    return header + (size_t)len;
}

static void floor_publish(struct publisher *p, unsigned channel, const char *data, size_t n)
{
    struct floor_publisher *fp = (struct floor_publisher *)p;
    const struct sample *s = fp->sample;
    size_t len = s->frame_bytes;
    struct floor_order *order = fp->order;
    order->channel = channel;
    order->channels = fp->channels->count;
    if (s->frame) {
        memcpy(order->frame, s->frame, len);
        memcpy(order->frame + s->payload_at, data, n);
    } else {
        len = own_frame_put(fp, data, n);
    }
    len += sizeof(*order);
    if (send(fp->floor->control, order, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
        die("the floor does not keep up with this rate: %s", strerror(errno));
    p->sent++;
    p->answered++;
}

static void floor_flush(struct publisher *p)
{
    (void)p;
}

static void floor_free(struct publisher *p)
{
    free(((struct floor_publisher *)p)->order);
    free(p);
}

struct publisher *publisher_floor_new(const struct floor *f, const struct sample *sample,
                                      const struct channels *channels)
{
    struct floor_publisher *fp = xcalloc(1, sizeof(*fp));
    fp->pub.publish = floor_publish;
    fp->pub.flush = floor_flush;
    fp->pub.free = floor_free;
    fp->order = xcalloc(1, sizeof(*fp->order) + PAYLOAD_MAX + 1024);
    fp->floor = f;
    fp->sample = sample;
    fp->channels = channels;
    return &fp->pub;
}

struct request {
    struct request *next;
    size_t n;
    char body[];
};

struct http_publisher {
    struct publisher pub;
    struct http_pool pool;
    struct request *first, **last;
    const struct channels *channels;
    const char *tags;
};

static void http_send_next(struct http_publisher *hp)
{
    struct request *r = hp->first;
    struct http_conn *c = &hp->pool.conns[0];
    if (!r || c->is_busy)
        return;
    hp->first = r->next;
    if (!hp->first)
        hp->last = &hp->first;
    http_post(c, "publish", r->body, r->n);
    free(r);
}

static void http_answered(struct http_conn *c, void *arg)
{
    struct http_publisher *hp = arg;
    (void)c;
    hp->pub.answered = hp->pool.answered;
    hp->pub.failed = hp->pool.failed;
    http_send_next(hp);
}

static void http_publish(struct publisher *p, unsigned channel, const char *data, size_t n)
{
    struct http_publisher *hp = (struct http_publisher *)p;
    const char *name = hp->channels->name[channel];
    size_t size = n + strlen(name) + 64;
    struct request *r = xcalloc(1, sizeof(*r) + size);
    int len = snprintf(r->body, size, "{\"channel\":\"%s\"%s,\"data\":%.*s}", name, hp->tags,
                       (int)n, data);
    r->n = (size_t)len;
    *hp->last = r;
    hp->last = &r->next;
    p->sent++;
}

static void http_flush(struct publisher *p)
{
    http_send_next((struct http_publisher *)p);
}

static void http_free(struct publisher *p)
{
    struct http_publisher *hp = (struct http_publisher *)p;
    while (hp->first) {
        struct request *r = hp->first;
        hp->first = r->next;
        free(r);
    }
    http_pool_fini(&hp->pool);
    free(hp);
}

struct publisher *publisher_http_new(const struct publisher_opts *o)
{
    struct http_publisher *hp = xcalloc(1, sizeof(*hp));
    hp->pub.publish = http_publish;
    hp->pub.flush = http_flush;
    hp->pub.free = http_free;
    hp->last = &hp->first;
    hp->channels = o->channels;
    hp->tags = o->feature->has_tags ? ",\"tags\":{\"kind\":\"bench\"}" : "";
    hp->pool.poller = o->poller;
    hp->pool.target = o->target;
    hp->pool.key = o->key;
    hp->pool.done = http_answered;
    hp->pool.arg = hp;
    http_pool_init(&hp->pool, 1);
    return &hp->pub;
}

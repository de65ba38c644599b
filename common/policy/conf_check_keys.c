/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of pushd.api_keys. */
#include "common/policy/conf_loader.h"

#include <string.h>

#define KEY_MIN_CHARS 16

static bool is_name(const char *name)
{
    size_t n = strspn(name, "-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return n >= 1 && name[n] == '\0';
}

/* The name of another key with the same text, or NULL. */
static const char *twin(const struct conf *c, size_t i)
{
    const struct conf_api_key *k = c->pushd.api_keys;
    if (strcmp(k[i].key, c->http_api.key) == 0) {
        return "http_api.key";
    }
    for (size_t j = 0; j < i; j++) {
        if (strcmp(k[j].key, k[i].key) == 0) {
            return k[j].name;
        }
    }
    return NULL;
}

static bool has_namespace(const struct conf_channel *ch, struct span name)
{
    for (size_t i = 0; i < ch->namespace_count; i++) {
        if (span_eq_str(name, ch->namespaces[i].name)) {
            return true;
        }
    }
    return false;
}

/* A beginning that no channel can have is most likely misspelled. */
static void check_prefix(struct conf_loader *ld, const struct conf_scope *s, const char *prefix)
{
    const struct conf_channel *ch = &ld->conf->channel;
    struct span private = span_str(ch->private_prefix);
    struct span channel = span_str(prefix);
    if (span_starts(channel, private)) {
        channel = span_from(channel, private.n);
    }
    const char *boundary =
        ch->namespace_boundary[0] != '\0' ? strstr(channel.p, ch->namespace_boundary) : NULL;
    if (boundary == NULL || boundary == channel.p) {
        return;
    }
    struct span name = span_of(channel.p, (size_t)(boundary - channel.p));
    if (!has_namespace(ch, name)) {
        conf_warn_row(ld, s, "channels",
                      "no channel begins with %.100s: there is no namespace %.*s in "
                      "channel.namespaces",
                      prefix, (int)(name.n < 100 ? name.n : 100), name.p);
    }
}

static void set_scopes(struct conf_api_key *k)
{
    const struct conf_row *row = conf_row_find(&conf_key_rows, SPAN("scopes"));
    for (size_t i = 0; i < k->scopes.n; i++) {
        const struct conf_word *w = row->words;
        while (strcmp(w->name, k->scopes.items[i]) != 0) { /* it is one of them: checked when set */
            w++;
        }
        k->scope_bits |= (unsigned)w->value;
    }
    if ((k->scope_bits & API_SCOPE_ADMIN) != 0) {
        k->scope_bits |= API_SCOPE_PUBLISH | API_SCOPE_READ;
    }
}

static int check_key(struct conf_loader *ld, size_t i)
{
    struct conf_api_key *k = &ld->conf->pushd.api_keys[i];
    const struct conf_scope *s = &ld->lists[CONF_API_KEYS][i];
    if (!is_name(k->name)) {
        return conf_fail_row(ld, s, "name",
                             "a key has a name of letters, digits, dots, dashes and underscores");
    }
    if (k->key[0] == '\0') {
        return conf_fail_row(ld, s, "key", "has to be set; openssl rand -hex 16 makes one");
    }
    const char *other = twin(ld->conf, i);
    if (other != NULL) {
        return conf_fail_row(ld, s, "key", "is the same as that of %.100s; each needs its own",
                             other);
    }
    if (k->scopes.n == 0) {
        return conf_fail_row(ld, s, "scopes",
                             "the key may do nothing; give it publish, read or admin");
    }
    if (strlen(k->key) < KEY_MIN_CHARS) {
        conf_warn_row(ld, s, "key",
                      "has fewer than %d characters and can be guessed; openssl rand -hex 16 makes "
                      "a better one",
                      KEY_MIN_CHARS);
    }
    for (size_t p = 0; p < k->channels.n; p++) {
        check_prefix(ld, s, k->channels.items[p]);
    }
    set_scopes(k);
    return 0;
}

int conf_check_keys(struct conf_loader *ld)
{
    int rc = conf_check_duplicates(ld, &conf_lists[CONF_API_KEYS]);
    for (size_t i = 0; i < ld->conf->pushd.api_key_count && rc == 0; i++) {
        rc = check_key(ld, i);
    }
    return rc;
}

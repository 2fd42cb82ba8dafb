/* SPDX-License-Identifier: Apache-2.0 */
#include "live_query.h"
#include "crypto/token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_KEY 24 /* bytes of a name that count for the order */

/* --- asked -------------------------------------------------------------- */

static const struct {
    const char *name;
    int is_text; /* then the default order is upwards */
} sorts[] = {{"age", 0},     {"firstContent", 0}, {"silent", 0},
             {"rate", 0},    {"bytes", 0},        {"events", 0},
             {"queue", 0},   {"heartbeats", 0},   {"attempt", 0},
             {"readers", 0}, {"app", 1},          {"owner", 1},
             {"phase", 1}};

const char *const bl_live_query_names[] = {
    "app",   "user", "key",  "transport", "client",
    "phase", "q",    "sort", "order",     NULL};

void bl_live_query_init(bl_live_query_t *q)
{
    memset(q, 0, sizeof(*q));
    q->is_descending = 1;
    q->limit = 100;
}

static apr_status_t set_sort(bl_live_query_t *q, const char *value)
{
    size_t i;

    for (i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        if (strcmp(sorts[i].name, value)) continue;
        q->sort = (bl_live_sort_t)i;
        q->is_descending = !sorts[i].is_text;
        return APR_SUCCESS;
    }
    return BL_E_BAD_VALUE;
}

static apr_status_t set_order(bl_live_query_t *q, const char *value)
{
    q->is_descending = !strcmp(value, "desc");
    return q->is_descending || !strcmp(value, "asc") ? APR_SUCCESS
                                                     : BL_E_BAD_VALUE;
}

static apr_status_t set_phases(bl_live_query_t *q, const char *value)
{
    while (*value) {
        size_t len = strcspn(value, ",");
        int i;

        for (i = 0; i < BL_PHASES; i++) {
            const char *name = bl_phase_name((bl_phase_t)i);

            if (strlen(name) == len && !strncmp(name, value, len)) break;
        }
        if (i == BL_PHASES) return BL_E_BAD_VALUE;
        q->phases |= 1u << i;
        value += len + (value[len] == ',');
    }
    return APR_SUCCESS;
}

static apr_status_t set_text(char *dst, size_t size, const char *value)
{
    if (strlen(value) >= size) return BL_E_BAD_VALUE;
    strncpy(dst, value, size);
    return APR_SUCCESS;
}

apr_status_t bl_live_query_set(bl_live_query_t *q, const char *name,
                               const char *value)
{
    if (!value || !*value) return APR_SUCCESS;
    if (!strcmp(name, "app")) return set_text(q->app, sizeof(q->app), value);
    if (!strcmp(name, "user")) return set_text(q->user, sizeof(q->user), value);
    if (!strcmp(name, "key")) return set_text(q->key, sizeof(q->key), value);
    if (!strcmp(name, "transport")) {
        return set_text(q->transport, sizeof(q->transport), value);
    }
    if (!strcmp(name, "client")) {
        return set_text(q->client, sizeof(q->client), value);
    }
    if (!strcmp(name, "phase")) return set_phases(q, value);
    if (!strcmp(name, "q")) return set_text(q->text, sizeof(q->text), value);
    if (!strcmp(name, "sort")) return set_sort(q, value);
    if (!strcmp(name, "order")) return set_order(q, value);
    return BL_E_BAD_VALUE;
}

/* --- let through -------------------------------------------------------- */

static int is_same(const char *wanted, const char *is, size_t size)
{
    return !*wanted || !strncmp(wanted, is, size);
}

static int holds(const char *text, size_t size, const char *part)
{
    size_t len = strlen(part), n = strnlen(text, size), i;

    for (i = 0; i + len <= n; i++) {
        if (!strncasecmp(text + i, part, len)) return 1;
    }
    return 0;
}

static int holds_text(const bl_slot_t *s, const char *part)
{
    char id[BL_ID_TEXT + 1];

    bl_hex(id, s->id, BL_ID_BYTES);
    return holds(id, sizeof(id), part) ||
           holds(s->owner, sizeof(s->owner), part) ||
           holds(s->app, sizeof(s->app), part) ||
           holds(s->transport, sizeof(s->transport), part) ||
           holds(s->client, sizeof(s->client), part);
}

static int matches(const bl_live_query_t *q, const bl_slot_t *s)
{
    return (!q->phases || q->phases >> bl_slot_get(s, phase) & 1) &&
           is_same(q->app, s->app, sizeof(s->app)) &&
           is_same(q->user, s->owner, sizeof(s->owner)) &&
           is_same(q->key, s->key_last4, sizeof(s->key_last4)) &&
           is_same(q->transport, s->transport, sizeof(s->transport)) &&
           is_same(q->client, s->client, sizeof(s->client)) &&
           (!*q->text || holds_text(s, q->text));
}

/* --- in order ----------------------------------------------------------- */

/* What the order needs, taken once: the slots change meanwhile. */
typedef struct place_t {
    const bl_slot_t *slot;
    apr_int64_t key;
    apr_int64_t started_at;
    char text[TEXT_KEY];
} place_t;

static apr_int64_t key_of(bl_live_sort_t sort, const bl_slot_t *s, bl_ms_t now)
{
    switch (sort) {
    case BL_SORT_AGE:
        return -s->started_at;
    case BL_SORT_FIRST_CONTENT:
        return bl_slot_get(s, first_content_ms);
    case BL_SORT_SILENT:
        return now - bl_slot_get(s, last_event_ms);
    case BL_SORT_RATE:
        return bl_slot_get(s, rate);
    case BL_SORT_BYTES:
        return (apr_int64_t)bl_slot_get(s, bytes);
    case BL_SORT_EVENTS:
        return (apr_int64_t)bl_slot_get(s, seq);
    case BL_SORT_QUEUE:
        return bl_slot_get(s, queue_bytes);
    case BL_SORT_HEARTBEATS:
        return (apr_int64_t)bl_slot_get(s, heartbeats);
    case BL_SORT_ATTEMPT:
        return bl_slot_get(s, attempt);
    case BL_SORT_READERS:
        return bl_slot_get(s, readers);
    case BL_SORT_PHASE:
        return bl_slot_get(s, phase);
    default:
        return 0;
    }
}

static void note_place(place_t *p, const bl_live_query_t *q, const bl_slot_t *s,
                       bl_ms_t now)
{
    p->slot = s;
    p->started_at = s->started_at;
    p->key = key_of(q->sort, s, now);
    if (q->sort == BL_SORT_APP) memcpy(p->text, s->app, TEXT_KEY);
    if (q->sort == BL_SORT_OWNER) memcpy(p->text, s->owner, TEXT_KEY);
}

/* Of those that are equal the oldest is first, both ways. */
static int by_start(const place_t *x, const place_t *y)
{
    if (x->started_at != y->started_at) {
        return x->started_at < y->started_at ? -1 : 1;
    }
    return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static int upwards(const void *a, const void *b)
{
    const place_t *x = a, *y = b;

    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return by_start(x, y);
}

static int downwards(const void *a, const void *b)
{
    const place_t *x = a, *y = b;

    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    return by_start(x, y);
}

static int text_upwards(const void *a, const void *b)
{
    const place_t *x = a, *y = b;
    int d = strncmp(x->text, y->text, TEXT_KEY);

    return d ? d : by_start(x, y);
}

static int text_downwards(const void *a, const void *b)
{
    const place_t *x = a, *y = b;
    int d = strncmp(y->text, x->text, TEXT_KEY);

    return d ? d : by_start(x, y);
}

static void put_in_order(place_t *places, int n, const bl_live_query_t *q)
{
    int is_text = q->sort == BL_SORT_APP || q->sort == BL_SORT_OWNER;

    if (is_text) {
        qsort(places, (size_t)n, sizeof(*places),
              q->is_descending ? text_downwards : text_upwards);
        return;
    }
    qsort(places, (size_t)n, sizeof(*places),
          q->is_descending ? downwards : upwards);
}

/* --- found -------------------------------------------------------------- */

static int collect(const bl_shm_t *shm, const bl_live_query_t *q, bl_ms_t now,
                   apr_uint32_t top, place_t *places, bl_live_found_t *found)
{
    apr_uint32_t i;
    int n = 0;

    for (i = 0; i < top; i++) {
        const bl_slot_t *s = &shm->slots[i];
        apr_uint32_t phase;

        if (!bl_slot_is_taken(shm, i)) continue;
        phase = bl_slot_get(s, phase);
        if (phase >= BL_PHASES) continue;
        found->total++;
        if (!matches(q, s)) continue;
        found->phases[phase]++;
        note_place(&places[n++], q, s, now);
    }
    found->matched = n;
    return n;
}

static apr_status_t copy_page(const place_t *places, const bl_live_query_t *q,
                              bl_live_found_t *found)
{
    int n = found->matched - q->skip, i;

    if (n > q->limit) n = q->limit;
    if (n <= 0) return APR_SUCCESS;
    found->rows = malloc((size_t)n * sizeof(*found->rows));
    if (!found->rows) return APR_ENOMEM;
    for (i = 0; i < n; i++)
        bl_slot_copy(&found->rows[i], places[q->skip + i].slot);
    found->count = n;
    return APR_SUCCESS;
}

apr_status_t bl_live_find(const bl_shm_t *shm, const bl_live_query_t *q,
                          bl_ms_t now, bl_live_found_t *found)
{
    apr_uint32_t top = __atomic_load_n(&shm->top, __ATOMIC_ACQUIRE);
    place_t *places;
    apr_status_t rv;
    int n;

    memset(found, 0, sizeof(*found));
    if (top > BL_DIRECTORY_SLOTS) top = BL_DIRECTORY_SLOTS;
    places = malloc((top + 1) * sizeof(*places));
    if (!places) return APR_ENOMEM;
    n = collect(shm, q, now, top, places, found);
    put_in_order(places, n, q);
    rv = copy_page(places, q, found);
    free(places);
    return rv;
}

void bl_live_found_release(bl_live_found_t *found)
{
    free(found->rows);
    found->rows = NULL;
    found->count = 0;
}

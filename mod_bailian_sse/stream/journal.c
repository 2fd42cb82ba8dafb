/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"
#include "base/budget.h"
#include "base/errors.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_FIRST 512 /* most answers are short */
/* None may waste more than this; with both heads, malloc's too, 8 KiB: what
 * another one leaves free fits. */
#define BLOCK_LARGEST (8 * 1024 - sizeof(block_t) - sizeof(size_t))
#define INDEX_FIRST 16
#define SLACK_BYTES (64 * 1024)
#define END_BYTES 260 /* an END event fits, whatever it says */
#define HAS_FIELDS 0x80
#define KIND_MASK 0x7f
#define MOST_TEXT 0xffffff /* 24 bits of an entry */

/* Text lies here; a block never moves and never shrinks. */
typedef struct block_t {
    struct block_t *older;
    char bytes[];
} block_t;

/* One event. With HAS_FIELDS the bytes are: u32 fields_len, fields, text. */
typedef struct entry_t {
    const char *at;
    apr_uint32_t at_ms;
    apr_uint32_t text_len : 24;
    apr_uint32_t kind : 8;
} entry_t;

struct bl_journal_t {
    pthread_mutex_t lock; /* guards every field below it */
    entry_t *index;
    apr_uint32_t count;
    apr_uint32_t room;
    apr_uint64_t first; /* seq of index[0] is first + 1 */
    apr_uint64_t last;  /* seq of the last event when it jumps, else 0 */
    block_t *newest;
    char *free_at;     /* in newest: where text goes next */
    size_t free_bytes; /* from there on */
    size_t bytes;      /* written under the lock, read without it */
    size_t weight;     /* the same: bytes, and the index */
    apr_uint64_t tail; /* the same: seq of the newest event, 0 = none yet */
    size_t limit;
    size_t memory; /* what of it is counted in budget */
    bl_budget_t *budget;
    int is_closed;       /* set once; no event follows */
    char end[END_BYTES]; /* of an END event that memory is short for (R02) */
};

apr_status_t bl_journal_create(bl_journal_t **pj, size_t limit_bytes,
                               bl_budget_t *budget)
{
    bl_journal_t *j = calloc(1, sizeof(*j));

    *pj = NULL;
    if (!j) return APR_ENOMEM;
    j->index = malloc((INDEX_FIRST + 1) * sizeof(*j->index));
    if (!j->index || pthread_mutex_init(&j->lock, NULL)) {
        free(j->index);
        free(j);
        return APR_ENOMEM;
    }
    j->room = INDEX_FIRST;
    j->limit = limit_bytes;
    j->memory = sizeof(*j) + (INDEX_FIRST + 1) * sizeof(*j->index);
    j->budget = budget;
    bl_budget_take_anyway(budget, j->memory);
    *pj = j;
    return APR_SUCCESS;
}

void bl_journal_destroy(bl_journal_t *j)
{
    block_t *b, *older;

    if (!j) return;
    for (b = j->newest; b; b = older) {
        older = b->older;
        free(b);
    }
    free(j->index);
    bl_budget_give(j->budget, j->memory);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

/* What comes once, at the end, is counted and never refused: an answer that is
 * there can end well. */
static apr_status_t reserve(bl_journal_t *j, bl_event_kind_t kind, size_t bytes)
{
    if (kind != BL_EV_END && kind != BL_EV_USAGE) {
        return bl_budget_take(j->budget, bytes);
    }
    bl_budget_take_anyway(j->budget, bytes);
    return APR_SUCCESS;
}

static apr_status_t add_block(bl_journal_t *j, bl_event_kind_t kind, size_t n)
{
    /* Half of what there is: a third of it may lie unused, not half. */
    size_t size = j->memory / 2;
    apr_status_t rv;
    block_t *b;

    if (size < BLOCK_FIRST) size = BLOCK_FIRST;
    if (size > BLOCK_LARGEST) size = BLOCK_LARGEST;
    if (size < n) size = n;
    rv = reserve(j, kind, sizeof(*b) + size);
    if (rv != APR_SUCCESS) return rv;
    b = malloc(sizeof(*b) + size);
    if (!b) {
        bl_budget_give(j->budget, sizeof(*b) + size);
        return APR_ENOMEM;
    }
    b->older = j->newest;
    j->newest = b;
    j->free_at = b->bytes;
    j->free_bytes = size;
    j->memory += sizeof(*b) + size;
    return APR_SUCCESS;
}

static apr_status_t take_bytes(bl_journal_t *j, bl_event_kind_t kind, size_t n,
                               char **pat)
{
    apr_status_t rv = APR_SUCCESS;

    *pat = NULL;
    if (!n) return APR_SUCCESS;
    if (j->free_bytes < n) rv = add_block(j, kind, n);
    if (rv == APR_SUCCESS) {
        *pat = j->free_at;
        j->free_at += n;
        j->free_bytes -= n;
    }
    else if (kind == BL_EV_END && n <= END_BYTES) {
        *pat = j->end;
        rv = APR_SUCCESS;
    }
    return rv;
}

/* There is one more than room, for the END event. */
static apr_status_t room_for_entry(bl_journal_t *j, bl_event_kind_t kind)
{
    entry_t *index;
    size_t more = j->room * sizeof(*index);
    apr_status_t rv;

    if (j->count < j->room || kind == BL_EV_END) return APR_SUCCESS;
    rv = reserve(j, kind, more);
    if (rv != APR_SUCCESS) return rv;
    index = realloc(j->index, (2 * (size_t)j->room + 1) * sizeof(*index));
    if (!index) {
        bl_budget_give(j->budget, more);
        return APR_ENOMEM;
    }
    j->memory += more;
    j->index = index;
    j->room *= 2;
    return APR_SUCCESS;
}

/* The limit is the answer's. What tells of the answer has some room beyond it,
 * and the END event always finds room: a stream must be able to end (I2). */
static size_t room_for(const bl_journal_t *j, bl_event_kind_t kind)
{
    size_t most = j->limit;

    if (kind == BL_EV_END) return (size_t)-1;
    if (kind != BL_EV_DELTA && kind != BL_EV_REASONING) most += SLACK_BYTES;
    return most > j->bytes ? most - j->bytes : 0;
}

static apr_status_t append_locked(bl_journal_t *j, const bl_event_t *ev)
{
    size_t head = ev->fields_len ? sizeof(apr_uint32_t) : 0;
    size_t n = head + ev->fields_len + ev->text_len;
    apr_uint32_t fields_len = (apr_uint32_t)ev->fields_len;
    apr_status_t rv;
    entry_t *e;
    char *at;

    if (ev->text_len > MOST_TEXT || ev->fields_len > MOST_TEXT ||
        n > room_for(j, ev->kind))
    {
        return APR_ENOSPC;
    }
    rv = room_for_entry(j, ev->kind);
    if (rv == APR_SUCCESS) rv = take_bytes(j, ev->kind, n, &at);
    if (rv != APR_SUCCESS) return rv;
    e = &j->index[j->count];
    if (head) {
        memcpy(at, &fields_len, head);
        memcpy(at + head, ev->fields, ev->fields_len);
    }
    if (ev->text_len) {
        memcpy(at + head + ev->fields_len, ev->text, ev->text_len);
    }
    e->at = at;
    e->at_ms = ev->at_ms;
    e->text_len = (apr_uint32_t)ev->text_len & MOST_TEXT; /* for -Wconversion */
    e->kind = (apr_uint32_t)ev->kind | (head ? HAS_FIELDS : 0);
    j->count++;
    __atomic_store_n(&j->bytes, j->bytes + ev->fields_len + ev->text_len,
                     __ATOMIC_RELEASE);
    __atomic_store_n(&j->weight, j->weight + bl_event_weight(ev),
                     __ATOMIC_RELEASE);
    __atomic_store_n(&j->tail, j->first + j->count, __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

void bl_journal_expect(const bl_journal_t *j)
{
    __builtin_prefetch(j->index + j->count, 1);
    __builtin_prefetch(j->free_at, 1);
}

apr_status_t bl_journal_append(bl_journal_t *j, const bl_event_t *ev,
                               apr_uint64_t *pseq)
{
    apr_status_t rv = BL_E_INTERNAL;

    pthread_mutex_lock(&j->lock);
    if (!j->is_closed) rv = append_locked(j, ev);
    if (rv == APR_SUCCESS && pseq) *pseq = j->first + j->count;
    pthread_mutex_unlock(&j->lock);
    return rv;
}

apr_status_t bl_journal_append_at(bl_journal_t *j, const bl_event_t *ev)
{
    apr_status_t rv = BL_E_INTERNAL;

    pthread_mutex_lock(&j->lock);
    if (!j->is_closed && ev->seq > j->first + j->count) {
        rv = append_locked(j, ev);
        if (rv == APR_SUCCESS) {
            if (ev->seq != j->first + j->count) {
                j->last = ev->seq;
                __atomic_store_n(&j->tail, ev->seq, __ATOMIC_RELEASE);
            }
            j->is_closed = 1;
        }
    }
    pthread_mutex_unlock(&j->lock);
    return rv;
}

void bl_journal_close(bl_journal_t *j)
{
    pthread_mutex_lock(&j->lock);
    j->is_closed = 1;
    pthread_mutex_unlock(&j->lock);
}

void bl_journal_begin_after(bl_journal_t *j, apr_uint64_t seq)
{
    pthread_mutex_lock(&j->lock);
    if (!j->count) {
        j->first = seq;
        __atomic_store_n(&j->tail, seq, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&j->lock);
}

/* The seq of index[i]. */
static apr_uint64_t seq_of(const bl_journal_t *j, apr_uint64_t i)
{
    return j->last && i + 1 == j->count ? j->last : j->first + i + 1;
}

/* The place of the first event after a seq. */
static apr_uint64_t place_after(const bl_journal_t *j, apr_uint64_t after)
{
    apr_uint64_t i = after > j->first ? after - j->first : 0;

    if (j->last && i >= j->count) return after < j->last ? j->count - 1 : i;
    return i;
}

static void view(const entry_t *e, apr_uint64_t seq, bl_event_t *ev)
{
    const char *at = e->at;
    apr_uint32_t fields_len = 0;

    ev->seq = seq;
    ev->kind = (bl_event_kind_t)(e->kind & KIND_MASK);
    ev->at_ms = e->at_ms;
    ev->fields = NULL;
    if (e->kind & HAS_FIELDS) {
        memcpy(&fields_len, at, sizeof(fields_len));
        ev->fields = at + sizeof(fields_len);
        at += sizeof(fields_len) + fields_len;
    }
    ev->fields_len = fields_len;
    ev->text = e->text_len ? at : "";
    ev->text_len = e->text_len;
}

apr_status_t bl_journal_read(bl_journal_t *j, apr_uint64_t after,
                             bl_event_t *events, int most, int *pn)
{
    apr_status_t rv = APR_SUCCESS;
    apr_uint64_t i;
    int n = 0;

    *pn = 0;
    pthread_mutex_lock(&j->lock);
    if (after < j->first) {
        rv = BL_E_TRIMMED;
    }
    else {
        for (i = place_after(j, after); i < j->count && n < most; i++, n++) {
            view(&j->index[i], seq_of(j, i), &events[n]);
        }
        if (!n) rv = j->is_closed ? APR_EOF : APR_EAGAIN;
    }
    pthread_mutex_unlock(&j->lock);
    *pn = n;
    return rv;
}

apr_uint64_t bl_journal_tail(const bl_journal_t *j)
{
    return __atomic_load_n(&j->tail, __ATOMIC_ACQUIRE);
}

size_t bl_journal_bytes(const bl_journal_t *j)
{
    return __atomic_load_n(&j->bytes, __ATOMIC_ACQUIRE);
}

size_t bl_event_weight(const bl_event_t *ev)
{
    return ev->text_len + ev->fields_len + sizeof(entry_t);
}

size_t bl_journal_weight(const bl_journal_t *j)
{
    return __atomic_load_n(&j->weight, __ATOMIC_ACQUIRE);
}

size_t bl_journal_memory(const bl_journal_t *j)
{
    bl_journal_t *m = (bl_journal_t *)j; /* the lock is not part of its value */
    size_t memory;

    pthread_mutex_lock(&m->lock);
    memory = m->memory;
    pthread_mutex_unlock(&m->lock);
    return memory;
}

size_t bl_journal_weight_after(bl_journal_t *j, apr_uint64_t after)
{
    apr_uint64_t i;
    bl_event_t ev;
    size_t weight = 0;

    pthread_mutex_lock(&j->lock);
    for (i = place_after(j, after); i < j->count; i++) {
        view(&j->index[i], 0, &ev);
        weight += bl_event_weight(&ev);
    }
    pthread_mutex_unlock(&j->lock);
    return weight;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "directory.h"
#include "sockets.h"
#include "base/clock.h"
#include "base/errors.h"
#include "crypto/token.h"
#include "process.h"
#include "slot_words.h"
#include "stats.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#define SLOT_AT 12 /* in an id; see the header */
#define SETTLE_MS                                                              \
    2000 /* for another asker; one that was killed is gone then                \
          */

static const char *const phase_names[] = {"connecting", "waiting",  "streaming",
                                          "paused",     "retrying", "detached",
                                          "ending"};

const char *bl_phase_name(bl_phase_t phase)
{
    return phase <= BL_PHASE_ENDING ? phase_names[phase] : "unknown";
}

/* FNV-1a, 64 bit; a separator keeps ("ab","c") and ("a","bc") apart. */
apr_uint64_t bl_hash(const char *a, const char *b)
{
    apr_uint64_t h = 14695981039346656037ULL;

    for (; *a; a++)
        h = (h ^ (unsigned char)*a) * 1099511628211ULL;
    h = (h ^ 0xff) * 1099511628211ULL;
    for (; *b; b++)
        h = (h ^ (unsigned char)*b) * 1099511628211ULL;
    return h ? h : 1;
}

/* --- the segment -------------------------------------------------------- */

size_t bl_shm_size(void)
{
    return sizeof(bl_shm_t);
}

apr_status_t bl_shm_format(bl_shm_t *shm)
{
    memset(shm, 0, offsetof(bl_shm_t, slots)); /* slots: zero pages already */
    shm->magic = BL_SHM_MAGIC;
    shm->size = (apr_uint32_t)sizeof(*shm);
    return bl_random_bytes(shm->server_id, sizeof(shm->server_id));
}

int bl_shm_is_sound(const bl_shm_t *shm)
{
    return shm->magic == BL_SHM_MAGIC && shm->size == sizeof(*shm);
}

/* --- children ----------------------------------------------------------- */

/* This process, as bl_child_t.who says it. */
static apr_uint64_t who_i_am(apr_uint32_t flag)
{
    bl_child_t me;

    me.pid = (apr_uint32_t)getpid() | flag;
    me.born = bl_process_born(getpid());
    return me.who;
}

static int is_dead(apr_uint64_t who)
{
    bl_child_t child;

    child.who = who;
    return !bl_process_is_there((pid_t)(child.pid & ~BL_CHILD_CLEANER),
                                child.born);
}

static void hold_nothing(bl_shm_t *shm, int child)
{
    __atomic_store_n(&shm->held[child].kept, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shm->held[child].passing, 0, __ATOMIC_SEQ_CST);
}

apr_status_t bl_shm_join(bl_shm_t *shm, apr_int64_t child_id, int *pchild)
{
    apr_uint64_t me = who_i_am(0);
    int i;

    *pchild = -1;
    bl_shm_reclaim(shm);
    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        bl_child_t *child = &shm->children[i];
        apr_uint64_t none = 0;

        if (!__atomic_compare_exchange_n(&child->who, &none, me, 0,
                                         __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            continue;
        }
        hold_nothing(shm, i);
        child->child_id = child_id;
        child->is_draining = 0;
        child->started_at = bl_clock_wall();
        *pchild = i;
        return APR_SUCCESS;
    }
    return BL_E_OVERLOADED;
}

static int free_slots_of(bl_shm_t *shm, int child)
{
    apr_uint32_t i;
    int n = 0;

    for (i = 0; i < BL_DIRECTORY_SLOTS; i++) {
        apr_uint32_t word = bl_slot_word(shm, i);

        if (!word || (int)BL_SLOT_CHILD(word) != child) continue;
        if (BL_SLOT_STATE(word) == BL_SLOT_EMPTYING) { /* no stream's */
            bl_slot_set_word(shm, i, 0);
            continue;
        }
        bl_slot_release(shm, &shm->slots[i]);
        n++;
    }
    return n;
}

/* I2: what was begun in this place and never ended was interrupted. */
static void count_interrupted(bl_child_t *child)
{
    apr_uint64_t *counters = child->counters;
    apr_uint64_t n = counters[BL_COUNT_STREAMS_STARTED];
    int i;

    for (i = BL_COUNT_STREAMS_COMPLETED; i <= BL_COUNT_STREAMS_INTERRUPTED; i++)
        n -= counters[i];
    /* It was killed between the end of a stream and the count of its start. */
    if ((apr_int64_t)n < 0) return;
    __atomic_add_fetch(&counters[BL_COUNT_STREAMS_INTERRUPTED], n,
                       __ATOMIC_RELAXED);
    __atomic_add_fetch(
        &counters[BL_WORD_ENDS + bl_error_line(BL_E_INTERRUPTED)], n,
        __ATOMIC_RELAXED);
}

/* Everything of a child whose process does nothing any more. */
static int clean_up(bl_shm_t *shm, int index)
{
    bl_child_t *child = &shm->children[index];
    int n = free_slots_of(shm, index);

    /* A claim or a release may have been cut half-way. */
    __atomic_store_n(&child->live, 0, __ATOMIC_SEQ_CST);
    hold_nothing(shm, index);
    bl_sockets_forget(shm, index);
    count_interrupted(child);
    __atomic_store_n(&child->who, 0, __ATOMIC_RELEASE);
    return n;
}

void bl_shm_leave(bl_shm_t *shm, int child)
{
    if (child >= 0) clean_up(shm, child);
}

int bl_shm_reclaim(bl_shm_t *shm)
{
    int i, n = 0;

    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        bl_child_t *child = &shm->children[i];
        apr_uint64_t who = __atomic_load_n(&child->who, __ATOMIC_ACQUIRE);

        /* A cleaner can die too. */
        if (!who || !is_dead(who)) continue;
        if (!__atomic_compare_exchange_n(&child->who, &who,
                                         who_i_am(BL_CHILD_CLEANER), 0,
                                         __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            continue;
        }
        n += clean_up(shm, i);
    }
    return n;
}

/* --- slots -------------------------------------------------------------- */

static void id_text(const bl_slot_t *slot, char *id)
{
    bl_hex(id, slot->id, BL_ID_BYTES);
}

static int count_principal(const bl_shm_t *shm, apr_uint64_t hash)
{
    apr_uint32_t top = __atomic_load_n(&shm->top, __ATOMIC_SEQ_CST);
    apr_uint32_t i;
    int n = 0;

    for (i = 0; i < top; i++) {
        n += __atomic_load_n(&shm->principal_hash[i], __ATOMIC_SEQ_CST) == hash;
    }
    return n;
}

/* Of this process: below it no slot is known to be free. Low slots first, so
 * that what is searched as a whole stays short, and few pages are in use. */
static apr_uint32_t hint;

static void raise_top(bl_shm_t *shm, apr_uint32_t top)
{
    apr_uint32_t now = __atomic_load_n(&shm->top, __ATOMIC_SEQ_CST);

    while (now < top &&
           !__atomic_compare_exchange_n(&shm->top, &now, top, 0,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        ;
}

static void note_used(bl_shm_t *shm, apr_uint32_t i)
{
    apr_uint32_t *was_used = &shm->was_used[i / BL_CHUNK_SLOTS];

    /* Only read by most: it shares its line with the others' */
    if (!__atomic_load_n(was_used, __ATOMIC_SEQ_CST))
        __atomic_store_n(was_used, 1, __ATOMIC_SEQ_CST);
}

static bl_slot_t *claim(bl_shm_t *shm, int child, apr_uint32_t *pindex)
{
    apr_uint32_t from = __atomic_load_n(&hint, __ATOMIC_RELAXED);
    apr_uint32_t i;

    for (i = 0; i < BL_DIRECTORY_SLOTS; i++) {
        apr_uint32_t at = (from + i) % BL_DIRECTORY_SLOTS;

        if (!bl_slot_claim(shm, at, BL_SLOT_ASKING, child)) continue;
        note_used(shm, at);
        __atomic_add_fetch(&shm->children[child].live, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&hint, at + 1, __ATOMIC_RELAXED);
        raise_top(shm, at + 1);
        *pindex = at;
        return &shm->slots[at];
    }
    return NULL;
}

static apr_status_t fill_in(bl_slot_t *slot, const bl_slot_ask_t *ask,
                            int index)
{
    unsigned char id[BL_ID_BYTES];
    apr_time_t now = bl_clock_wall();
    apr_status_t rv = bl_id_bytes(id, SLOT_AT, now);
    int i;

    if (rv != APR_SUCCESS) return rv;
    for (i = 0; i < 4; i++)
        id[SLOT_AT + i] = (unsigned char)(index >> (8 * i));
    memset(slot, 0, sizeof(*slot));
    memcpy(slot->id, id, sizeof(id));
    slot->child = (apr_uint32_t)ask->child;
    slot->started_at = now;
    slot->started_ms = slot->last_event_ms = bl_clock_ms();
    slot->first_content_ms = -1;
    strncpy(slot->owner, ask->owner, sizeof(slot->owner) - 1);
    return APR_SUCCESS;
}

/* --- one key, one run (C18) -------------------------------------------------
 * Who asks with a key has said so in request_hash before it looks for others,
 * so of two at least one sees the other. A taken slot has the key. Of two that
 * are both asking the lower one goes on, when the higher one has given way; the
 * higher one then waits for what becomes of the lower. */

/* What this slot says once nobody asks for it any more; 0 = free. */
static apr_uint32_t settled_word(const bl_shm_t *shm, apr_uint32_t i)
{
    bl_ms_t until = bl_clock_ms() + SETTLE_MS;
    apr_uint32_t word;

    while (BL_SLOT_STATE(word = bl_slot_word(shm, i)) == BL_SLOT_ASKING &&
           bl_clock_ms() < until)
    {
        sched_yield();
    }
    return word;
}

static int has_key(const bl_shm_t *shm, apr_uint32_t i,
                   const bl_slot_ask_t *ask)
{
    return __atomic_load_n(&shm->request_hash[i], __ATOMIC_SEQ_CST) ==
               ask->request_hash &&
           __atomic_load_n(&shm->principal_hash[i], __ATOMIC_SEQ_CST) ==
               ask->principal_hash;
}

/* The id of a stream that has the key; 0: it has ended meanwhile. */
static int id_of_holder(const bl_shm_t *shm, apr_uint32_t i,
                        const bl_slot_ask_t *ask, char *id)
{
    id_text(&shm->slots[i], id);
    return has_key(shm, i, ask) &&
           BL_SLOT_STATE(bl_slot_word(shm, i)) == BL_SLOT_TAKEN;
}

/* APR_SUCCESS: the key is mine. APR_EEXIST: *pother has it, or asks for it and
 * goes before me. */
static apr_status_t look_for_key(bl_shm_t *shm, const bl_slot_ask_t *ask,
                                 apr_uint32_t mine, apr_uint32_t *pother)
{
    apr_uint32_t top = __atomic_load_n(&shm->top, __ATOMIC_SEQ_CST);
    apr_uint32_t i, word;

    for (i = 0; i < top; i++) {
        if (i == mine || !has_key(shm, i, ask)) continue;
        *pother = i;
        word = bl_slot_word(shm, i);
        if (BL_SLOT_STATE(word) == BL_SLOT_ASKING && i > mine) {
            word = settled_word(shm, i);
            if (BL_SLOT_STATE(word) == BL_SLOT_ASKING) return BL_E_OVERLOADED;
        }
        if (word && has_key(shm, i, ask)) return APR_EEXIST;
    }
    return APR_SUCCESS;
}

/* Before its hashes go: who looks sees the key in one place or the other. */
static void note_recent(bl_shm_t *shm, const bl_slot_t *slot,
                        apr_uint32_t index)
{
    apr_uint32_t at =
        __atomic_fetch_add(&shm->recent_next, 1, __ATOMIC_SEQ_CST) %
        BL_RECENT_KEYS;
    bl_recent_t *r = &shm->recent[at];

    __atomic_store_n(&r->request_hash, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&r->principal_hash, shm->principal_hash[index],
                     __ATOMIC_SEQ_CST);
    memcpy(r->id, slot->id, sizeof(r->id));
    __atomic_store_n(&r->request_hash, shm->request_hash[index],
                     __ATOMIC_SEQ_CST);
}

static int was_recent(const bl_shm_t *shm, const bl_slot_ask_t *ask, char *id)
{
    int i;

    for (i = 0; i < BL_RECENT_KEYS; i++) {
        const bl_recent_t *r = &shm->recent[i];

        if (__atomic_load_n(&r->request_hash, __ATOMIC_SEQ_CST) !=
                ask->request_hash ||
            __atomic_load_n(&r->principal_hash, __ATOMIC_SEQ_CST) !=
                ask->principal_hash)
        {
            continue;
        }
        bl_hex(id, r->id, BL_ID_BYTES);
        return 1;
    }
    return 0;
}

int bl_slot_was_recent(const bl_shm_t *shm, const char *id)
{
    unsigned char bytes[BL_ID_BYTES];
    int i;

    if (!bl_unhex(bytes, sizeof(bytes), id)) return 0;
    for (i = 0; i < BL_RECENT_KEYS; i++) {
        if (!memcmp(shm->recent[i].id, bytes, sizeof(bytes))) return 1;
    }
    return 0;
}

/* --- taken and released ------------------------------------------------- */

/* Claimed first, counted afterwards: two at once can both be refused at the
 * ceiling, never both be let in (R04). */
static apr_status_t check_ceilings(const bl_shm_t *shm,
                                   const bl_slot_ask_t *ask)
{
    const bl_child_t *child = &shm->children[ask->child];

    if (bl_slot_count(shm) > ask->most_all) return BL_E_OVERLOADED;
    if (ask->most_of_child &&
        (int)__atomic_load_n(&child->live, __ATOMIC_SEQ_CST) >
            ask->most_of_child)
    {
        return BL_E_OVERLOADED;
    }
    return count_principal(shm, ask->principal_hash) > ask->most_of_principal
               ? BL_E_RATE_LIMITED
               : APR_SUCCESS;
}

static apr_status_t take_once(bl_shm_t *shm, const bl_slot_ask_t *ask,
                              bl_slot_t **pslot, char *id, apr_uint32_t *pother)
{
    apr_uint32_t index;
    bl_slot_t *slot = claim(shm, ask->child, &index);
    apr_status_t rv;

    if (!slot) return BL_E_OVERLOADED;
    rv = fill_in(slot, ask, (int)index);
    if (rv == APR_SUCCESS) {
        __atomic_store_n(&shm->principal_hash[index], ask->principal_hash,
                         __ATOMIC_SEQ_CST);
        __atomic_store_n(&shm->request_hash[index], ask->request_hash,
                         __ATOMIC_SEQ_CST);
        if (ask->request_hash) rv = look_for_key(shm, ask, index, pother);
    }
    if (rv == APR_SUCCESS && ask->request_hash && was_recent(shm, ask, id)) {
        *pother = BL_DIRECTORY_SLOTS;
        rv = APR_EEXIST;
    }
    if (rv == APR_SUCCESS) rv = check_ceilings(shm, ask);
    if (rv != APR_SUCCESS) {
        bl_slot_release(shm, slot);
        return rv;
    }
    id_text(slot, id);
    bl_slot_set_word(shm, index,
                     BL_SLOT_WORD(BL_SLOT_TAKEN, (apr_uint32_t)ask->child));
    *pslot = slot;
    return APR_SUCCESS;
}

apr_status_t bl_slot_take(bl_shm_t *shm, const bl_slot_ask_t *ask,
                          bl_slot_t **pslot, char *id)
{
    bl_ms_t until = bl_clock_ms() + SETTLE_MS;
    apr_uint32_t other = 0, word;
    apr_status_t rv;

    *pslot = NULL;
    do {
        if (bl_slot_count(shm) >= ask->most_all) return BL_E_OVERLOADED;
        rv = take_once(shm, ask, pslot, id, &other);
        if (rv != APR_EEXIST || other == BL_DIRECTORY_SLOTS) return rv;
        word = settled_word(shm, other);
        if (BL_SLOT_STATE(word) == BL_SLOT_TAKEN &&
            id_of_holder(shm, other, ask, id)) {
            return APR_EEXIST;
        }
        /* It was refused, or has ended: the key is free again. */
    } while (bl_clock_ms() < until);
    return BL_E_OVERLOADED;
}

void bl_slot_end(bl_shm_t *shm, bl_slot_t *slot)
{
    apr_uint32_t index = (apr_uint32_t)(slot - shm->slots);

    note_recent(shm, slot, index);
    bl_slot_release(shm, slot);
}

void bl_slot_release(bl_shm_t *shm, bl_slot_t *slot)
{
    apr_uint32_t index = (apr_uint32_t)(slot - shm->slots);
    apr_uint32_t from = __atomic_load_n(&hint, __ATOMIC_RELAXED);
    apr_uint32_t child = BL_SLOT_CHILD(bl_slot_word(shm, index));

    __atomic_store_n(&shm->principal_hash[index], 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shm->request_hash[index], 0, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&shm->children[child].live, 1, __ATOMIC_SEQ_CST);
    bl_slot_set_word(shm, index, 0);
    if (index < from) __atomic_store_n(&hint, index, __ATOMIC_RELAXED);
}

bl_slot_t *bl_slot_find(bl_shm_t *shm, const char *id, int *pchild,
                        apr_int64_t *pchild_id)
{
    unsigned char bytes[BL_ID_BYTES];
    apr_uint32_t index = 0, word;
    bl_slot_t *slot;
    int i;

    if (!bl_unhex(bytes, sizeof(bytes), id)) return NULL;
    for (i = 3; i >= 0; i--)
        index = index << 8 | bytes[SLOT_AT + i];
    if (index >= BL_DIRECTORY_SLOTS) return NULL;
    slot = &shm->slots[index];
    word = bl_slot_word(shm, index);
    if (BL_SLOT_STATE(word) != BL_SLOT_TAKEN ||
        memcmp(slot->id, bytes, sizeof(bytes)) ||
        BL_SLOT_CHILD(word) >= BL_SHM_CHILDREN)
    {
        return NULL;
    }
    *pchild = (int)BL_SLOT_CHILD(word);
    *pchild_id = shm->children[*pchild].child_id;
    return slot;
}

int bl_slot_is_taken(const bl_shm_t *shm, apr_uint32_t index)
{
    return BL_SLOT_STATE(bl_slot_word(shm, index)) == BL_SLOT_TAKEN;
}

/* Word by word: a plain copy may be made of reads of any size. */
void bl_slot_copy(bl_slot_t *to, const bl_slot_t *from)
{
    typedef apr_uint64_t __attribute__((may_alias)) word_t;
    const word_t *source = (const word_t *)(const void *)from;
    word_t *target = (word_t *)(void *)to;
    size_t i;

    for (i = 0; i < sizeof(*from) / sizeof(word_t); i++)
        target[i] = __atomic_load_n(&source[i], __ATOMIC_RELAXED);
}

void bl_slot_put_text(char *at, size_t size, const char *text)
{
    size_t i, len = strnlen(text, size - 1);

    for (i = 0; i < len; i++)
        __atomic_store_n(&at[i], text[i], __ATOMIC_RELAXED);
    __atomic_store_n(&at[len], '\0', __ATOMIC_RELAXED);
}

int bl_slot_count(const bl_shm_t *shm)
{
    int i, n = 0;

    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        n += (int)__atomic_load_n(&shm->children[i].live, __ATOMIC_SEQ_CST);
    }
    return n;
}

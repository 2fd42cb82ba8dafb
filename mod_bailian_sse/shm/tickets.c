/* SPDX-License-Identifier: Apache-2.0 */
#include "tickets.h"
#include "directory.h"
#include "base/clock.h"
#include "base/errors.h"
#include "crypto/token.h"

#include <string.h>

#define CHANCE_BYTES 32

/* A word is the moment (ms) until which its state holds, and the state: a
 * claim of a process that died half-way ends by itself. */
enum { EMPTY, CLAIMED, READY };
#define WORD(until, state) ((apr_uint64_t)(until) << 2 | (state))
#define STATE(word) ((word)&3)
#define UNTIL(word) ((bl_ms_t)((word) >> 2))
#define CLAIM_MS 5000

static apr_uint64_t word_of(const bl_ticket_slot_t *t)
{
    return __atomic_load_n(&t->word, __ATOMIC_ACQUIRE);
}

static int change(bl_ticket_slot_t *t, apr_uint64_t from, apr_uint64_t to)
{
    return __atomic_compare_exchange_n(&t->word, &from, to, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

static int hash_of(const char *ticket, unsigned char hash[BL_SHA256_BYTES])
{
    bl_sha256_t *h;

    if (bl_sha256_create(&h) != APR_SUCCESS) return 0;
    bl_sha256_add(h, ticket, strlen(ticket));
    bl_sha256_end(h, hash);
    bl_sha256_destroy(h);
    return 1;
}

static int has_too_many(const bl_shm_t *shm, apr_uint64_t owner, bl_ms_t now)
{
    int i, n = 0;

    for (i = 0; i < BL_TICKETS; i++) {
        apr_uint64_t word = word_of(&shm->tickets[i]);

        n += STATE(word) == READY && UNTIL(word) > now &&
             __atomic_load_n(&shm->tickets[i].owner_hash, __ATOMIC_RELAXED) ==
                 owner;
    }
    return n >= BL_TICKETS_OF_ONE;
}

static bl_ticket_slot_t *claim(bl_shm_t *shm, bl_ms_t now)
{
    int i;

    for (i = 0; i < BL_TICKETS; i++) {
        apr_uint64_t word = word_of(&shm->tickets[i]);

        if (STATE(word) != EMPTY && UNTIL(word) > now) continue;
        if (change(&shm->tickets[i], word, WORD(now + CLAIM_MS, CLAIMED))) {
            return &shm->tickets[i];
        }
    }
    return NULL;
}

static void put(bl_ticket_slot_t *t, const bl_ticket_for_t *what,
                const unsigned char hash[BL_SHA256_BYTES])
{
    memcpy(t->hash, hash, sizeof(t->hash));
    memcpy(t->principal, what->principal, sizeof(t->principal));
    t->owner_hash = bl_hash(what->principal, "");
    t->route_hash = what->route_hash;
    t->scopes = what->scopes;
    t->expires_at = what->expires_at;
    t->client_id = what->client_id;
}

apr_status_t bl_ticket_make(bl_shm_t *shm, const bl_ticket_for_t *what,
                            char ticket[BL_TICKET_TEXT + 1])
{
    unsigned char chance[CHANCE_BYTES], hash[BL_SHA256_BYTES];
    bl_ms_t now = bl_clock_ms();
    bl_ticket_slot_t *t;

    *ticket = '\0';
    if (has_too_many(shm, bl_hash(what->principal, ""), now)) {
        return BL_E_RATE_LIMITED;
    }
    if (bl_random_bytes(chance, sizeof(chance)) != APR_SUCCESS) {
        return BL_E_OVERLOADED;
    }
    memcpy(ticket, "bt_", 3);
    bl_hex(ticket + 3, chance, sizeof(chance));
    t = hash_of(ticket, hash) ? claim(shm, now) : NULL;
    if (!t) {
        *ticket = '\0';
        return BL_E_OVERLOADED;
    }
    put(t, what, hash);
    __atomic_store_n(&t->word, WORD(now + BL_TICKET_MS, READY),
                     __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

static void get(const bl_ticket_slot_t *t, bl_ticket_for_t *out)
{
    memcpy(out->principal, t->principal, sizeof(out->principal));
    out->principal[sizeof(out->principal) - 1] = '\0';
    out->route_hash = t->route_hash;
    out->scopes = t->scopes;
    out->expires_at = t->expires_at;
    out->client_id = t->client_id;
}

apr_status_t bl_ticket_take(bl_shm_t *shm, const char *ticket,
                            apr_uint64_t route_hash, bl_ticket_for_t *out)
{
    unsigned char hash[BL_SHA256_BYTES];
    bl_ms_t now = bl_clock_ms();
    int i;

    memset(out, 0, sizeof(*out));
    if (strlen(ticket) != BL_TICKET_TEXT) return BL_E_UNAUTHENTICATED;
    if (!hash_of(ticket, hash)) return APR_ENOMEM;
    for (i = 0; i < BL_TICKETS; i++) {
        bl_ticket_slot_t *t = &shm->tickets[i];
        apr_uint64_t word = word_of(t);

        if (STATE(word) != READY || UNTIL(word) <= now ||
            !bl_equal_secret(t->hash, hash, sizeof(hash)) ||
            !change(t, word, WORD(now + CLAIM_MS, CLAIMED)))
        {
            continue;
        }
        /* Ours alone now. It may be another one's that came to lie here. */
        if (!bl_equal_secret(t->hash, hash, sizeof(hash))) {
            __atomic_store_n(&t->word, word, __ATOMIC_RELEASE);
            continue;
        }
        get(t, out);
        memset(t->hash, 0, sizeof(t->hash));
        __atomic_store_n(&t->word, WORD(0, EMPTY), __ATOMIC_RELEASE);
        return out->route_hash == route_hash ? APR_SUCCESS
                                             : BL_E_UNAUTHENTICATED;
    }
    return BL_E_UNAUTHENTICATED;
}

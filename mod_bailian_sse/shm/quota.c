/* SPDX-License-Identifier: Apache-2.0 */
#include "quota.h"
#include "base/clock.h"
#include "base/errors.h"

#define PROBES 16
#define MINUTE_MS 60000

/* day << 48 | tokens + 1; 0 = nothing known. One word, so that a new day and
 * its first tokens cannot be torn apart. */
#define TOKENS_MOST ((1ULL << 48) - 2)
#define DAY_OF(word) ((int)((word) >> 48))
#define TOKENS_OF(word) (((word)&0xffffffffffffULL) - 1)
#define TOKEN_WORD(day, n) ((apr_uint64_t)(day) << 48 | ((n) + 1))

/* In ascending order of what would be lost with it. */
static int is_idle(const bl_quota_entry_t *q, bl_ms_t now)
{
    return (bl_ms_t)__atomic_load_n(&q->rest_at, __ATOMIC_RELAXED) <= now;
}

static bl_quota_entry_t *take_place(bl_shm_t *shm, apr_uint64_t hash,
                                    bl_ms_t now)
{
    int i;

    for (i = 0; i < PROBES; i++) {
        bl_quota_entry_t *q = &shm->quotas[(hash + (unsigned)i) % BL_QUOTAS];
        apr_uint64_t old = __atomic_load_n(&q->hash, __ATOMIC_ACQUIRE);

        if (old && !is_idle(q, now)) continue;
        if (!__atomic_compare_exchange_n(&q->hash, &old, hash, 0,
                                         __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            continue;
        }
        __atomic_store_n(&q->rest_at, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&q->tokens, 0, __ATOMIC_RELAXED);
        return q;
    }
    return NULL;
}

static bl_quota_entry_t *find(bl_shm_t *shm, apr_uint64_t hash)
{
    int i;

    for (i = 0; i < PROBES; i++) {
        bl_quota_entry_t *q = &shm->quotas[(hash + (unsigned)i) % BL_QUOTAS];

        if (__atomic_load_n(&q->hash, __ATOMIC_ACQUIRE) == hash) return q;
    }
    return NULL;
}

/* The generic cell rate algorithm: a burst of per_minute, then one each
 * 60 s / per_minute. */
apr_status_t bl_quota_start(bl_shm_t *shm, apr_uint64_t hash, int per_minute,
                            bl_ms_t *pwait_ms)
{
    bl_ms_t now = bl_clock_ms();
    bl_quota_entry_t *q = find(shm, hash);
    apr_uint64_t step, rest, next;

    *pwait_ms = 0;
    if (!q) q = take_place(shm, hash, now);
    if (!q) {
        /* So many callers at once that nobody can be counted: not let in. */
        *pwait_ms = 1000;
        return BL_E_RATE_LIMITED;
    }
    step = (apr_uint64_t)((MINUTE_MS + per_minute - 1) / per_minute);
    rest = __atomic_load_n(&q->rest_at, __ATOMIC_ACQUIRE);
    do {
        next = (rest > (apr_uint64_t)now ? rest : (apr_uint64_t)now) + step;
        if (next > (apr_uint64_t)now + step * (apr_uint64_t)per_minute) {
            *pwait_ms = (bl_ms_t)(next - (apr_uint64_t)now -
                                  step * (apr_uint64_t)per_minute);
            return BL_E_RATE_LIMITED;
        }
    } while (!__atomic_compare_exchange_n(&q->rest_at, &rest, next, 0,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return APR_SUCCESS;
}

apr_int64_t bl_quota_tokens(bl_shm_t *shm, apr_uint64_t hash, int day)
{
    bl_quota_entry_t *q = find(shm, hash);
    apr_uint64_t word = q ? __atomic_load_n(&q->tokens, __ATOMIC_ACQUIRE) : 0;

    return word && DAY_OF(word) == day ? (apr_int64_t)TOKENS_OF(word) : -1;
}

void bl_quota_seed(bl_shm_t *shm, apr_uint64_t hash, int day, apr_int64_t n)
{
    bl_quota_entry_t *q = find(shm, hash);
    apr_uint64_t word;

    if (!q) q = take_place(shm, hash, bl_clock_ms());
    if (!q || n < 0) return;
    word = __atomic_load_n(&q->tokens, __ATOMIC_ACQUIRE);
    if (word && DAY_OF(word) == day) return; /* another child was first */
    if ((apr_uint64_t)n > TOKENS_MOST) n = (apr_int64_t)TOKENS_MOST;
    __atomic_compare_exchange_n(&q->tokens, &word,
                                TOKEN_WORD(day, (apr_uint64_t)n), 0,
                                __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Of a principal that nobody asked for today nothing is kept: the store
 * knows. */
void bl_quota_add_tokens(bl_shm_t *shm, apr_uint64_t hash, int day,
                         apr_int64_t n)
{
    bl_quota_entry_t *q = find(shm, hash);
    apr_uint64_t word, sum;

    if (!q || n <= 0) return;
    word = __atomic_load_n(&q->tokens, __ATOMIC_ACQUIRE);
    do {
        if (!word || DAY_OF(word) != day) return;
        sum = TOKENS_OF(word) + (apr_uint64_t)n;
        if (sum > TOKENS_MOST) sum = TOKENS_MOST;
    } while (!__atomic_compare_exchange_n(&q->tokens, &word,
                                          TOKEN_WORD(day, sum), 0,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
}

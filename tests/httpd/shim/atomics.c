/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomics - preloaded into httpd with the thread sanitizer: APR's atomic
 * operations as it sees them. httpd and APR are not built with it. It learns
 * of their locks, since it stands in front of pthread_mutex_lock(), but not of
 * the words that the event MPM hands the pool of a closed connection to the
 * next one by (ap_queue_info_push_pool): without these each connection would
 * race with the one before it in the same memory.
 */
#include <stdint.h>

#define ORDER __ATOMIC_SEQ_CST

/* The sanitizer's own names for what a compiler makes of __atomic_*. */
uint32_t __tsan_atomic32_load(const volatile uint32_t *, int);
void __tsan_atomic32_store(volatile uint32_t *, uint32_t, int);
uint32_t __tsan_atomic32_exchange(volatile uint32_t *, uint32_t, int);
uint32_t __tsan_atomic32_fetch_add(volatile uint32_t *, uint32_t, int);
uint32_t __tsan_atomic32_compare_exchange_val(volatile uint32_t *, uint32_t,
                                              uint32_t, int, int);
uint64_t __tsan_atomic64_load(const volatile uint64_t *, int);
void __tsan_atomic64_store(volatile uint64_t *, uint64_t, int);
uint64_t __tsan_atomic64_exchange(volatile uint64_t *, uint64_t, int);
uint64_t __tsan_atomic64_fetch_add(volatile uint64_t *, uint64_t, int);
uint64_t __tsan_atomic64_compare_exchange_val(volatile uint64_t *, uint64_t,
                                              uint64_t, int, int);

/* apr_atomic.h: add and inc answer the old value, dec whether one is left,
 * cas what was there. */
#define OPERATIONS(bits)                                                       \
    uint##bits##_t apr_atomic_read##bits(volatile uint##bits##_t *at)          \
    {                                                                          \
        return __tsan_atomic##bits##_load(at, ORDER);                          \
    }                                                                          \
    void apr_atomic_set##bits(volatile uint##bits##_t *at, uint##bits##_t n)   \
    {                                                                          \
        __tsan_atomic##bits##_store(at, n, ORDER);                             \
    }                                                                          \
    uint##bits##_t apr_atomic_add##bits(volatile uint##bits##_t *at,           \
                                        uint##bits##_t n)                      \
    {                                                                          \
        return __tsan_atomic##bits##_fetch_add(at, n, ORDER);                  \
    }                                                                          \
    void apr_atomic_sub##bits(volatile uint##bits##_t *at, uint##bits##_t n)   \
    {                                                                          \
        __tsan_atomic##bits##_fetch_add(at, -n, ORDER);                        \
    }                                                                          \
    uint##bits##_t apr_atomic_inc##bits(volatile uint##bits##_t *at)           \
    {                                                                          \
        return __tsan_atomic##bits##_fetch_add(at, 1, ORDER);                  \
    }                                                                          \
    int apr_atomic_dec##bits(volatile uint##bits##_t *at)                      \
    {                                                                          \
        return __tsan_atomic##bits##_fetch_add(at, -(uint##bits##_t)1,         \
                                               ORDER) != 1;                    \
    }                                                                          \
    uint##bits##_t apr_atomic_cas##bits(                                       \
        volatile uint##bits##_t *at, uint##bits##_t with, uint##bits##_t cmp)  \
    {                                                                          \
        return __tsan_atomic##bits##_compare_exchange_val(at, cmp, with,       \
                                                          ORDER, ORDER);       \
    }                                                                          \
    uint##bits##_t apr_atomic_xchg##bits(volatile uint##bits##_t *at,          \
                                         uint##bits##_t n)                     \
    {                                                                          \
        return __tsan_atomic##bits##_exchange(at, n, ORDER);                   \
    }

OPERATIONS(32)
OPERATIONS(64)

void *apr_atomic_casptr(volatile void **at, void *with, const void *cmp)
{
    return (void *)(uintptr_t)__tsan_atomic64_compare_exchange_val(
        (volatile uint64_t *)at, (uintptr_t)cmp, (uintptr_t)with, ORDER, ORDER);
}

void *apr_atomic_xchgptr(volatile void **at, void *with)
{
    return (void *)(uintptr_t)__tsan_atomic64_exchange((volatile uint64_t *)at,
                                                       (uintptr_t)with, ORDER);
}

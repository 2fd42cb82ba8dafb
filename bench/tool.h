/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool - what the upstream and the load client of the benchmark share: the
 * clock, strict numbers, a timer heap and plain socket set-up.
 *
 * Plain POSIX, nothing of the module: the benchmark must not be able to
 * repeat a mistake of the code that it measures.
 *
 * OWNERSHIP  A timer is embedded in its owner; the heap only points at it.
 * THREADS    A heap belongs to one thread; everything else may be called by
 * any. ERRORS     0 or a descriptor is success, -1 failure with errno set.
 */
#ifndef BENCH_TOOL_H
#define BENCH_TOOL_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_SECOND_NS 1000000000ULL
#define BENCH_NEVER UINT64_MAX

/* CLOCK_MONOTONIC in nanoseconds: the same in all processes of a machine. */
uint64_t bench_now_ns(void);

/* The decimal number at *ptext, which is moved behind it; -1 when there is
 * none or it is above max. */
int64_t bench_number(const char **ptext, const char *end, int64_t max);

/* Writes n in decimal and returns the place behind it. */
char *bench_put_number(char *at, uint64_t n);

/* As bench_number, for a whole argument of a command line; exits with a
 * sentence that names the option when it is not a number up to max. */
int64_t bench_argument(const char *option, const char *text, int64_t max);

/* Prints "bench: <what>: <errno>" and exits with 2. */
void bench_die(const char *what) __attribute__((noreturn));

/* Raises the soft limit of open files to the hard one, and the hard one to
 * wanted where the process may; returns what is in force then. */
uint64_t bench_raise_files(uint64_t wanted);

/* A non-blocking listener on 127.0.0.1; several may share the port. */
int bench_listen(uint16_t port);

/* A non-blocking socket that is connecting to 127.0.0.1; receive_bytes 0
 * leaves the size of the receive buffer to the kernel. */
int bench_connect(uint16_t port, int receive_bytes);

/* How connecting ended: 0, or the errno of it. */
int bench_connect_failure(int fd);

typedef struct bench_timer_t {
    uint64_t due_ns;
    size_t place; /* in the heap, from 1; 0 = not armed */
} bench_timer_t;

typedef struct bench_heap_t {
    bench_timer_t **items; /* from 1; items[1] is the next one due */
    size_t count, room;
} bench_heap_t;

/* Arms the timer, or moves it when it is armed. */
void bench_heap_arm(bench_heap_t *heap, bench_timer_t *timer, uint64_t due_ns);
void bench_heap_disarm(bench_heap_t *heap, bench_timer_t *timer);

/* The next timer that is due at now, disarmed, or NULL. */
bench_timer_t *bench_heap_take(bench_heap_t *heap, uint64_t now_ns);

/* When the next timer is due; BENCH_NEVER when there is none. */
uint64_t bench_heap_next(const bench_heap_t *heap);

#endif

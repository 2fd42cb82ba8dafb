/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - level + number + message, through a callback the glue installs.
 *
 * Every message from DEBUG up has a number: BL_LOGNO(2104). A number is
 * unique, listed in docs/log-numbers.md and never used again. Ranges:
 * 1000 base, 1100 crypto, 1200 shm, 1300 stream, 1400 store, 1500 reactor,
 * 1600 upstream, 1700 auth, 1800 httpd, 1900 bailianctl.
 * No prompt, answer, key, token or cookie in the log at any level (S-51):
 * lengths, ids and fingerprints instead. Text from outside goes through
 * bl_log_safe().
 *
 * THREADS  any. The sink must not block for long and must not call back.
 */
#ifndef BL_LOG_H
#define BL_LOG_H

#include "bl.h"

#define BL_LOGNO(n) "BL" #n ": "

typedef enum {
    BL_LOG_ERR,     /* somebody must act */
    BL_LOG_WARNING, /* refused or degraded */
    BL_LOG_INFO,    /* start, stop, settings */
    BL_LOG_DEBUG,   /* a line a stream */
    BL_LOG_TRACE    /* a line an event */
} bl_log_level_t;

typedef void bl_log_sink_fn(bl_log_level_t level, apr_status_t rv,
                            const char *line);

/* NULL goes back to the default: WARNING and up to standard error. */
void bl_log_install(bl_log_sink_fn *sink, bl_log_level_t most);

/* Another way for the same lines; answers the one before. */
bl_log_sink_fn *bl_log_set_sink(bl_log_sink_fn *sink);

/* Is anything written at this level? Asked before arguments are made. */
int bl_log_is_on(bl_log_level_t level);

void bl_log_write(bl_log_level_t level, apr_status_t rv, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define bl_log(level, rv, ...)                                                 \
    do {                                                                       \
        if (bl_log_is_on(level)) bl_log_write((level), (rv), __VA_ARGS__);     \
    } while (0)

/* Copies outside text for a log line: control characters and non-ASCII bytes
 * escaped, at most size - 1 bytes. Returns dst. */
const char *bl_log_safe(char *dst, size_t size, const char *src, size_t len);

/* A failure that repeats is logged once a minute and counted: returns 0 when
 * this one is not to be logged, else 1 + the number suppressed since. The
 * gate is zeroed memory of the caller. Any thread. */
typedef struct bl_log_gate_t {
    apr_int64_t next_ms;
    apr_uint32_t suppressed;
} bl_log_gate_t;
unsigned bl_log_gate(bl_log_gate_t *gate);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core - what the tests of the core share: cmocka, conditions with a deadline,
 * work on a reactor's thread, a log that is not read.
 */
#ifndef BL_TEST_CORE_H
#define BL_TEST_CORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <semaphore.h>
#include <unistd.h>

#include "base/errors.h"
#include "base/log.h"
#include "reactor/reactor.h"

#define CORE_WAIT_MS 30000 /* long: a sanitizer on a busy machine */

/* A test waits for what must become true, never for time to pass. */
#define wait_until(condition)                                                  \
    do {                                                                       \
        int left_ms = CORE_WAIT_MS;                                            \
        while (!(condition) && left_ms-- > 0)                                  \
            usleep(1000);                                                      \
        if (left_ms < 0) fail_msg("never came true: %s", #condition);          \
    } while (0)

/* For bl_log_install(): what a test brings about on purpose. */
static inline void log_nothing(bl_log_level_t level, apr_status_t rv,
                               const char *line)
{
    (void)level;
    (void)rv;
    (void)line;
}

typedef struct core_call_t {
    bl_letter_t letter;
    void (*fn)(void *ctx);
    void *ctx;
    sem_t done;
} core_call_t;

static inline void core_run_call(bl_letter_t *letter)
{
    core_call_t *call = (core_call_t *)letter;

    call->fn(call->ctx);
    sem_post(&call->done);
}

/* Runs fn(ctx) on the reactor's thread and waits for it. */
static inline void on_reactor(bl_reactor_t *r, void (*fn)(void *), void *ctx)
{
    core_call_t call;

    memset(&call, 0, sizeof(call));
    call.letter.fn = core_run_call;
    call.fn = fn;
    call.ctx = ctx;
    sem_init(&call.done, 0, 0);
    bl_reactor_post(r, &call.letter);
    while (sem_wait(&call.done))
        ;
    sem_destroy(&call.done);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "log_queue.h"
#include "log.h"
#include "thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MOST_BYTES (1024 * 1024)
#define LOOK_USEC 2000

typedef struct line_t {
    struct line_t *next;
    bl_log_level_t level;
    apr_status_t rv;
    size_t size;
    char text[];
} line_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards below it */
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static line_t *head, **tail = &head;
static size_t bytes; /* of lines that wait or are being written */
static unsigned dropped;
static int must_stop;
static int has_stopped;

static bl_log_sink_fn *sink; /* where lines went before: immutable in between */
static int is_started;       /* main thread's */

/* --- the thread --------------------------------------------------------- */

static void tell_dropped(unsigned n)
{
    char text[128];

    snprintf(text, sizeof(text),
             BL_LOGNO(1001) "%u lines were dropped: the log was not taken", n);
    sink(BL_LOG_WARNING, 0, text);
}

static void write_out(line_t *line)
{
    unsigned n;

    sink(line->level, line->rv, line->text);
    pthread_mutex_lock(&lock);
    bytes -= line->size;
    n = dropped;
    dropped = 0;
    pthread_mutex_unlock(&lock);
    free(line);
    if (n) tell_dropped(n);
}

static void *run(void *ctx)
{
    line_t *line;

    (void)ctx;
    prctl(PR_SET_NAME, "bl-log");
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!head && !must_stop)
            pthread_cond_wait(&work, &lock);
        line = head;
        if (!line) break;
        head = line->next;
        if (!head) tail = &head;
        pthread_mutex_unlock(&lock);
        write_out(line);
        pthread_mutex_lock(&lock);
    }
    has_stopped = 1;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* --- who logs ----------------------------------------------------------- */

static void to_queue(bl_log_level_t level, apr_status_t rv, const char *text)
{
    size_t len = strlen(text);
    line_t *line = malloc(sizeof(*line) + len + 1);

    if (line) {
        line->next = NULL;
        line->level = level;
        line->rv = rv;
        line->size = sizeof(*line) + len + 1;
        memcpy(line->text, text, len + 1);
    }
    pthread_mutex_lock(&lock);
    if (line && bytes + line->size <= MOST_BYTES) {
        bytes += line->size;
        *tail = line;
        tail = &line->next;
        line = NULL;
        pthread_cond_signal(&work);
    }
    else {
        dropped++;
    }
    pthread_mutex_unlock(&lock);
    free(line);
}

/* --- started and stopped ------------------------------------------------ */

void bl_log_queue_start(void)
{
    pthread_t thread;

    if (is_started) return;
    must_stop = has_stopped = 0;
    if (bl_thread_start(&thread, run, NULL)) return;
    /* Not joined: it may hang in its write for ever. */
    pthread_detach(thread);
    sink = bl_log_set_sink(to_queue);
    is_started = 1;
}

static int wait_for(int (*is_so)(void), bl_ms_t wait_ms)
{
    bl_ms_t tries = wait_ms * 1000 / LOOK_USEC;
    int found;

    for (;;) {
        pthread_mutex_lock(&lock);
        found = is_so();
        pthread_mutex_unlock(&lock);
        if (found || tries-- <= 0) return found;
        usleep(LOOK_USEC);
    }
}

static int is_empty(void)
{
    return !bytes;
}

static int is_stopped(void)
{
    return has_stopped;
}

int bl_log_queue_flush(bl_ms_t wait_ms)
{
    return wait_for(is_empty, wait_ms);
}

void bl_log_queue_stop(bl_ms_t wait_ms)
{
    if (!is_started) return;
    is_started = 0;
    bl_log_set_sink(sink);
    pthread_mutex_lock(&lock);
    must_stop = 1;
    pthread_cond_signal(&work);
    pthread_mutex_unlock(&lock);
    wait_for(is_stopped, wait_ms);
}

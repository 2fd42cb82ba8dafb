/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_worker - a process that stores streams until it is killed.
 *
 * store_worker DATABASE FIRST [COUNT]: streams FIRST, FIRST + 1, ... with
 * three runs of events each; a line "N" on standard output says that stream N
 * and all before it were written. Ends after COUNT of them, or with its
 * standard input.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/errors.h"
#include "store/store.h"
#include "stream/journal.h"

static void pause_ms(int ms)
{
    struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&ts, NULL);
}

static apr_status_t put_begin(bl_store_t *s, const char *id, long n)
{
    char conversation[32];
    bl_store_begin_t b;

    memset(&b, 0, sizeof(b));
    snprintf(conversation, sizeof(conversation), "c%ld", n % 50);
    b.stream_id = id;
    b.owner = "user:li";
    b.conversation_id = conversation;
    b.app = "qa";
    b.transport = "sse";
    b.question = "question";
    b.at = bl_clock_wall();
    return bl_store_put_begin(s, &b);
}

static apr_status_t put_run(bl_store_t *s, const char *id, apr_uint64_t seq)
{
    bl_buf_t run;
    bl_event_t ev;

    memset(&ev, 0, sizeof(ev));
    ev.kind = BL_EV_DELTA;
    ev.text = "some words of an answer ";
    ev.text_len = strlen(ev.text);
    bl_buf_init(&run, 1 << 16);
    if (bl_event_pack(&run, &ev) != APR_SUCCESS) return APR_ENOMEM;
    return bl_store_put_events(s, id, seq, seq, run.data, run.len, 0);
}

static apr_status_t put_end(bl_store_t *s, const char *id)
{
    bl_store_end_t e;

    memset(&e, 0, sizeof(e));
    e.stream_id = id;
    e.outcome = BL_OUTCOME_COMPLETED;
    e.text = "some words of an answer some words of an answer some words of an "
             "answer ";
    e.text_len = strlen(e.text);
    e.event_count = 3;
    e.at = bl_clock_wall();
    return bl_store_put_end(s, &e);
}

static int one_stream(bl_store_t *s, long n)
{
    char id[BL_ID_TEXT + 1];
    apr_uint64_t seq;

    snprintf(id, sizeof(id), "%032lx", n);
    if (put_begin(s, id, n) != APR_SUCCESS) return 0;
    for (seq = 1; seq <= 3; seq++) {
        if (put_run(s, id, seq) != APR_SUCCESS) return 0;
        /* A batch border may fall anywhere in the life of a stream. */
        if (n % 7 == 0) pause_ms(6);
    }
    return put_end(s, id) == APR_SUCCESS;
}

static int input_ended(void)
{
    struct pollfd p = {STDIN_FILENO, POLLIN, 0};

    return poll(&p, 1, 0) > 0;
}

int main(int argc, char **argv)
{
    bl_store_health_t health;
    bl_store_conf_t conf;
    bl_store_t *s;
    char err[512] = "";
    long n, first, count;

    if (argc < 3) return 2;
    first = strtol(argv[2], NULL, 10);
    count = argc > 3 ? strtol(argv[3], NULL, 10) : 1000000;
    memset(&conf, 0, sizeof(conf));
    conf.path = argv[1];
    if (bl_store_open(&s, &conf, err, sizeof(err)) != APR_SUCCESS) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    for (n = first; n < first + count && !input_ended(); n++) {
        if (!one_stream(s, n)) return 1;
        if (n % 20) continue;
        do {
            pause_ms(1);
            bl_store_health(s, &health);
        } while (health.queued);
        printf("%ld\n", n);
        fflush(stdout);
    }
    bl_store_close(s, 10000);
    return 0;
}

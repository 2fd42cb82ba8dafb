/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_store - CPU time the store spends on one short answer.
 *
 * bench_store DIRECTORY ANSWERS PER_SECOND: that many answers of 50 events
 * each are begun, fed and ended as the engine does it, PER_SECOND of them a
 * second (0: as fast as they go), many at once. Prints microseconds of CPU
 * (user + system, all threads) an answer and the size of the database.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/errors.h"
#include "crypto/token.h"
#include "store/store.h"
#include "stream/journal.h"

#define EVENTS 50

static double cpu_us(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
           (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
}

static void pause_us(long us)
{
    struct timespec ts = {us / 1000000, us % 1000000 * 1000};

    nanosleep(&ts, NULL);
}

/* The answer's events as one run, malloc'd, and its text. */
static char *pack(size_t *plen, bl_buf_t *text)
{
    static const char *const words[] = {"你好", "，", "this is", " an ",
                                        "答案。"};
    bl_event_t ev;
    bl_buf_t run;
    int i;

    bl_buf_init(&run, 1 << 20);
    bl_buf_clear(text);
    for (i = 0; i < EVENTS; i++) {
        memset(&ev, 0, sizeof(ev));
        ev.kind = i == 0            ? BL_EV_START
                  : i == EVENTS - 1 ? BL_EV_END
                                    : BL_EV_DELTA;
        ev.text = ev.kind == BL_EV_DELTA ? words[i % 5] : "";
        ev.text_len = strlen(ev.text);
        bl_event_pack(&run, &ev);
        bl_buf_append(text, ev.text, ev.text_len);
    }
    *plen = run.len;
    return run.data;
}

static void new_id(char id[BL_ID_TEXT + 1])
{
    unsigned char bytes[BL_ID_BYTES];

    bl_random_bytes(bytes, sizeof(bytes));
    bl_hex(id, bytes, sizeof(bytes));
}

static apr_status_t begin(bl_store_t *s, const char *id, int n)
{
    char conversation[32];
    bl_store_begin_t b;

    memset(&b, 0, sizeof(b));
    snprintf(conversation, sizeof(conversation), "conversation-%d", n / 4);
    b.stream_id = id;
    b.owner = "anon:42";
    b.conversation_id = conversation;
    b.app = "qa";
    b.transport = "sse";
    b.question = "今天天气怎么样？What is the weather like today?";
    b.at = bl_clock_wall();
    return bl_store_put_begin(s, &b);
}

static apr_status_t finish(bl_store_t *s, const char *id, bl_buf_t *text)
{
    bl_store_end_t e;
    size_t len;
    char *run = pack(&len, text);
    apr_status_t rv = bl_store_put_events(s, id, 1, EVENTS, run, len, 0);

    if (rv != APR_SUCCESS) return rv;
    memset(&e, 0, sizeof(e));
    e.stream_id = id;
    e.outcome = BL_OUTCOME_COMPLETED;
    e.finish_reason = "stop";
    e.session_id = "0123456789abcdef0123456789abcdef";
    e.upstream_request_id = "01234567-89ab-cdef-0123-456789abcdef";
    e.model_id = "qwen-max";
    e.text = text->data;
    e.text_len = text->len;
    e.sha256_hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b"
                   "7852b855";
    e.event_count = EVENTS;
    e.attempts = 1;
    e.input_tokens = 12;
    e.output_tokens = 60;
    e.duration_ms = 900;
    e.at = bl_clock_wall();
    e.attempts_json = "[{\"n\":1,\"class\":\"ok\",\"status\":200,\"ms\":900}]";
    e.key_id = "1";
    return bl_store_put_end(s, &e);
}

int main(int argc, char **argv)
{
    int answers = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 20000;
    int rate = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 0;
    int together = 64, i, k;
    char path[512], err[512] = "", (*ids)[BL_ID_TEXT + 1];
    bl_store_health_t health;
    bl_store_conf_t conf;
    bl_store_t *s;
    bl_buf_t text;
    double before, packing, after;
    struct stat st;
    size_t len;

    if (argc < 2) {
        fprintf(stderr, "usage: bench_store DIRECTORY ANSWERS PER_SECOND\n");
        return 2;
    }
    snprintf(path, sizeof(path), "%s/bench.db", argv[1]);
    memset(&conf, 0, sizeof(conf));
    conf.path = path;
    if (bl_store_open(&s, &conf, err, sizeof(err)) != APR_SUCCESS) {
        fprintf(stderr, "%s\n", err);
        return 1;
    }
    bl_buf_init(&text, 1 << 20);
    ids = calloc((size_t)together, sizeof(*ids));
    /* What the making of the run costs is the journal's, not the store's. */
    before = cpu_us();
    for (i = 0; i < answers; i++)
        free(pack(&len, &text));
    packing = cpu_us() - before;

    before = cpu_us();
    for (i = 0; i < answers; i += together) {
        for (k = 0; k < together; k++) {
            new_id(ids[k]);
            while (begin(s, ids[k], i + k) != APR_SUCCESS)
                pause_us(1000);
        }
        if (rate) pause_us(together * 1000000L / rate / 2);
        for (k = 0; k < together; k++) {
            while (finish(s, ids[k], &text) != APR_SUCCESS)
                pause_us(1000);
        }
        if (rate) pause_us(together * 1000000L / rate / 2);
    }
    do {
        pause_us(10000);
        bl_store_health(s, &health);
    } while (health.queued);
    after = cpu_us();
    stat(path, &st);
    printf("%d answers of %d events: %.1f us CPU an answer (packing apart: "
           "%.1f), %" APR_UINT64_T_FMT " transactions, database %.1f MB, log "
           "%.1f MB\n",
           i, EVENTS, (after - before - packing) / i, packing / i,
           health.transactions, (double)st.st_size / 1e6,
           (double)health.wal_bytes / 1e6);
    bl_store_close(s, 1000);
    bl_buf_release(&text);
    free(ids);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_retention - retention beside streams that write (D17).
 *
 * store_retention DIRECTORY CONVERSATIONS: makes a database of that many old
 * conversations, opens it as two children of httpd do, lets both write answers
 * and asks for everything older than a day to be deleted. Tells how long the
 * answers' transactions took meanwhile. Fails when something old is left,
 * something new is gone, or old text can still be read in the files.
 */
#include "fill.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "store/retention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 5
#define SECONDS_MOST 3600

static const bl_admin_who_t who = {"cli:test", "local"};
static char path[1024];

static double now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static bl_store_t *open_store(int is_tool)
{
    bl_store_conf_t conf;
    bl_store_t *s;
    char err[512];

    memset(&conf, 0, sizeof(conf));
    conf.path = path;
    conf.is_tool = is_tool;
    if (bl_store_open(&s, &conf, err, sizeof(err)) == APR_SUCCESS) return s;
    fprintf(stderr, "%s\n", err);
    exit(2);
}

/* One answer; then a transaction of its own, which waits for the writer and
 * for the lock: how long? */
static double answer(bl_store_t *s, int n)
{
    bl_store_begin_t b;
    bl_store_end_t e;
    char id[BL_ID_TEXT + 1], name[32];
    double start;

    snprintf(id, sizeof(id), "%032x", (unsigned)n + 1);
    snprintf(name, sizeof(name), "new%d", n);
    memset(&b, 0, sizeof(b));
    b.stream_id = id;
    b.owner = "user:new";
    b.conversation_id = name;
    b.app = "qa";
    b.transport = "sse";
    b.question = "q";
    b.at = bl_clock_wall();
    memset(&e, 0, sizeof(e));
    e.stream_id = id;
    e.outcome = BL_OUTCOME_COMPLETED;
    e.text = "answer";
    e.text_len = 6;
    e.event_count = 1;
    e.input_tokens = e.output_tokens = e.first_content_ms = -1;
    e.at = b.at;
    start = now_ms();
    if (bl_store_put_begin(s, &b) != APR_SUCCESS ||
        bl_store_put_end(s, &e) != APR_SUCCESS ||
        bl_store_do_rename(s, "user:new", name, "t") != APR_SUCCESS)
    {
        fprintf(stderr, "an answer was not written\n");
        exit(1);
    }
    return now_ms() - start;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int is_over(bl_store_t *s)
{
    apr_int64_t version;
    bl_buf_t out;
    int over;

    bl_buf_init(&out, 65536);
    if (bl_store_settings(s, &out, &version) != APR_SUCCESS) exit(1);
    over = strstr(bl_buf_str(&out), "\"idle\"") &&
           !strstr(bl_buf_str(&out), "\"passAt\":null");
    bl_buf_release(&out);
    return over;
}

/* Text of deleted answers in a file, as long as the file is. */
static long marks_in(const char *suffix)
{
    char name[1100], block[65536 + sizeof(FILL_MARK)];
    size_t kept = 0, n;
    long found = 0;
    FILE *file;

    snprintf(name, sizeof(name), "%s%s", path, suffix);
    file = fopen(name, "rb");
    while (file && (n = fread(block + kept, 1, 65536, file)) > 0) {
        const char *at = block, *end = block + kept + n;

        while ((at = memmem(at, (size_t)(end - at), FILL_MARK,
                            sizeof(FILL_MARK) - 1)) != NULL)
        {
            at++;
            found++;
        }
        kept = sizeof(FILL_MARK) - 2;
        if (kept > (size_t)(end - block)) kept = (size_t)(end - block);
        memmove(block, end - kept, kept);
    }
    if (file) fclose(file);
    return found;
}

/* The log is emptied at one of the next slow ticks. */
static long marks_left(void)
{
    double until = now_ms() + 60000;
    long left;

    do {
        usleep(100000);
        left = marks_in("") + marks_in("-wal");
    } while (left && now_ms() < until);
    return left;
}

static long file_mb(void)
{
    struct stat st;

    return stat(path, &st) == 0 ? (long)(st.st_size >> 20) : -1;
}

static void write_while_it_deletes(bl_store_t *a, bl_store_t *b, double *took,
                                   int most, int *pn)
{
    double until = now_ms() + SECONDS_MOST * 1e3;

    while (!is_over(a) && now_ms() < until) {
        double ms = answer(*pn % 2 ? a : b, *pn);

        if (*pn < most) took[*pn] = ms;
        ++*pn;
        usleep(20000);
    }
}

static int judge(long old_messages, int answers)
{
    long old = fill_count(path, "SELECT count(*) FROM conversation"
                                " WHERE owner <> 'user:new'");
    long rest = fill_count(path, "SELECT (SELECT count(*) FROM message)"
                                 " + (SELECT count(*) FROM stream_event)");
    long marks = marks_left();

    printf("%ld old messages: %ld old conversations left, %ld texts readable\n",
           old_messages, old, marks);
    if (rest != 2L * answers) {
        printf("%ld messages and runs of events, not %d\n", rest, 2 * answers);
    }
    return old || marks || rest != 2L * answers;
}

int main(int argc, char **argv)
{
    static double took[100000];
    bl_retention_change_t change = {1, 1, 1, 1};
    bl_store_t *a, *b;
    double start;
    int n = 0, failed;
    fill_t f;

    if (argc != 3) return 2;
    snprintf(path, sizeof(path), "%s/bailian.db", argv[1]);
    memset(&f, 0, sizeof(f));
    f.conversations = atol(argv[2]);
    f.owners = f.conversations / 20 + 1;
    f.pairs = PAIRS;
    f.newest = bl_clock_wall() - 2 * 86400ll * 1000000;
    bl_store_close(open_store(1), 1000);
    fill(path, &f);
    printf("%ld MiB before\n", file_mb());
    a = open_store(0);
    b = open_store(0);
    start = now_ms();
    if (bl_store_do_settings(a, &who, 1, &change) != APR_SUCCESS) return 1;
    write_while_it_deletes(a, b, took, 100000, &n);
    printf("%.1f s, %d answers meanwhile; %ld MiB\n", (now_ms() - start) / 1e3,
           n, file_mb());
    failed = judge(2 * PAIRS * f.conversations, n);
    if (n > 100000) n = 100000;
    qsort(took, (size_t)n, sizeof(*took), by_value);
    if (n) {
        printf("a transaction of an answer: p50 %.1f ms, p99 %.1f, most %.1f\n",
               took[n / 2], took[(n - 1) * 99 / 100], took[n - 1]);
    }
    bl_store_close(a, 10000);
    bl_store_close(b, 10000);
    return failed;
}

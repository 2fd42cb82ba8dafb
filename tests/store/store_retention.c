/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_retention - retention beside streams that write (D17).
 *
 * store_retention DIRECTORY CONVERSATIONS: makes a database of that many old
 * conversations, opens it as two children of httpd do, lets both write answers
 * and asks for everything older than a day to be deleted. Tells how long the
 * answers' transactions took meanwhile, and for how long each slice of the
 * deleting kept the database to itself. Fails when something old is left,
 * something new is gone, old text can still be read in the files, or a large
 * file has not become small. With a third argument the slices are judged, too:
 * 99 of 100 by BL_RETENTION_SLICE_MS of a processor's time, for a busy machine
 * lets each wait for longer.
 */
#include "fill.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "store/db.h"
#include "store/retention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAIRS 5
#define SECONDS_MOST 3600
#define TOOK_MOST 100000
#define LARGE_MB 64

static const bl_admin_who_t who = {"cli:test", "local"};
static char path[1024];

static double read_ms(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double now_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

/* Of this thread: what others do on the machine is not in it. */
static double cpu_ms(void)
{
    return read_ms(CLOCK_THREAD_CPUTIME_ID);
}

/* --- how long it took --------------------------------------------------- */

typedef struct took_t {
    int n;
    double ms[TOOK_MOST];
} took_t;

static took_t answers, slices, slices_cpu;

static void note(took_t *took, double ms)
{
    int i = __atomic_fetch_add(&took->n, 1, __ATOMIC_RELAXED);

    if (i < TOOK_MOST) took->ms[i] = ms;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Its 99th percentile. */
static double say(const char *what, took_t *took)
{
    int n = took->n < TOOK_MOST ? took->n : TOOK_MOST;

    if (!n) return 0;
    qsort(took->ms, (size_t)n, sizeof(*took->ms), by_value);
    printf("%d %s: p50 %.1f ms, p99 %.1f, most %.1f\n", took->n, what,
           took->ms[n / 2], took->ms[(n - 1) * 99 / 100], took->ms[n - 1]);
    return took->ms[(n - 1) * 99 / 100];
}

/* --- slices: the linker leads these calls here (--wrap) ------------------ */

bl_ms_t __real_bl_retention_wt_step(bl_store_t *s, bl_db_t *db, int is_slow);
bl_ms_t __wrap_bl_retention_wt_step(bl_store_t *s, bl_db_t *db, int is_slow);
apr_status_t __real_bl_db_begin(bl_db_t *db, int is_durable);
apr_status_t __wrap_bl_db_begin(bl_db_t *db, int is_durable);
apr_status_t __real_bl_db_commit(bl_db_t *db);
apr_status_t __wrap_bl_db_commit(bl_db_t *db);

static __thread int is_deleting;
static __thread double began_ms, began_cpu_ms; /* it has the lock */

bl_ms_t __wrap_bl_retention_wt_step(bl_store_t *s, bl_db_t *db, int is_slow)
{
    bl_ms_t pause;

    is_deleting = 1;
    pause = __real_bl_retention_wt_step(s, db, is_slow);
    is_deleting = 0;
    return pause;
}

apr_status_t __wrap_bl_db_begin(bl_db_t *db, int is_durable)
{
    apr_status_t rv = __real_bl_db_begin(db, is_durable);

    began_ms = now_ms();
    began_cpu_ms = cpu_ms();
    return rv;
}

apr_status_t __wrap_bl_db_commit(bl_db_t *db)
{
    apr_status_t rv = __real_bl_db_commit(db);

    if (is_deleting) {
        note(&slices, now_ms() - began_ms);
        note(&slices_cpu, cpu_ms() - began_cpu_ms);
    }
    return rv;
}

/* --- answers ------------------------------------------------------------- */

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

/* --- what is left -------------------------------------------------------- */

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

static void write_while_it_deletes(bl_store_t *a, bl_store_t *b)
{
    double until = now_ms() + SECONDS_MOST * 1e3;

    while (!is_over(a) && now_ms() < until) {
        note(&answers, answer(answers.n % 2 ? a : b, answers.n));
        usleep(20000);
    }
}

static int judge(long old_messages)
{
    long old = fill_count(path, "SELECT count(*) FROM conversation"
                                " WHERE owner <> 'user:new'");
    long rest = fill_count(path, "SELECT (SELECT count(*) FROM message)"
                                 " + (SELECT count(*) FROM stream_event)");
    long marks = marks_left();

    printf("%ld old messages: %ld old conversations left, %ld texts readable\n",
           old_messages, old, marks);
    if (rest != 2L * answers.n) {
        printf("%ld messages and runs of events, not %d\n", rest,
               2 * answers.n);
    }
    return old || marks || rest != 2L * answers.n;
}

int main(int argc, char **argv)
{
    bl_retention_change_t change = {1, 1, 1, 1};
    bl_store_t *a, *b;
    double start;
    long before;
    int failed;
    fill_t f;

    if (argc != 3 && argc != 4) return 2;
    snprintf(path, sizeof(path), "%s/bailian.db", argv[1]);
    memset(&f, 0, sizeof(f));
    f.conversations = atol(argv[2]);
    f.owners = f.conversations / 20 + 1;
    f.pairs = PAIRS;
    f.newest = bl_clock_wall() - 2 * 86400ll * 1000000;
    bl_store_close(open_store(1), 1000);
    fill(path, &f);
    before = file_mb();
    printf("%ld MiB before\n", before);
    a = open_store(0);
    b = open_store(0);
    start = now_ms();
    if (bl_store_do_settings(a, &who, 1, &change) != APR_SUCCESS) return 1;
    write_while_it_deletes(a, b);
    printf("%.1f s, %d answers meanwhile; %ld MiB\n", (now_ms() - start) / 1e3,
           answers.n, file_mb());
    failed = judge(2 * PAIRS * f.conversations) ||
             (before > LARGE_MB && file_mb() > before / 2);
    say("transactions of an answer", &answers);
    say("slices", &slices);
    if (say("slices, in time of a processor", &slices_cpu) >
            BL_RETENTION_SLICE_MS &&
        argc == 4)
        failed = 1;
    bl_store_close(a, 10000);
    bl_store_close(b, 10000);
    return failed;
}

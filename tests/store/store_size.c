/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_size - what people wait for in a large database (D16).
 *
 * store_size DIRECTORY CONVERSATIONS KEYS ASKS MOST_MS: makes a database with
 * ten messages a conversation and asks each question ASKS times. Prints p50,
 * p99 and the longest in milliseconds of each, and fails when a p99 is above
 * MOST_MS (0: it only measures).
 */
#include "fill.h"

#include "base/clock.h"
#include "base/errors.h"
#include "store/conversations.h"
#include "store/retention.h"
#include "store/usage_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAIRS 5

static bl_store_t *store;
static bl_buf_t out;
static long conversations, asks, most_ms;
static int is_slow;
static unsigned dice = 1;

static double now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void must(apr_status_t rv, const char *what)
{
    if (rv == APR_SUCCESS) return;
    fprintf(stderr, "%s: %s\n", what, bl_error(rv)->code);
    exit(2);
}

static long roll(long most)
{
    dice = dice * 1103515245 + 12345;
    return 1 + (long)(dice >> 8) % most;
}

/* --- the questions ------------------------------------------------------ */

static const char *owner_of(long n)
{
    static char text[64];

    snprintf(text, sizeof(text), "user:u%ld", n);
    return text;
}

static void own_list(void)
{
    must(bl_store_conversations(store, owner_of(roll(conversations / 20)), NULL,
                                20, NULL, &out),
         "list");
}

static void heavy_list_in_its_middle(void)
{
    char cursor[64];
    apr_time_t at = bl_clock_wall() - roll(conversations) * 60000000;

    snprintf(cursor, sizeof(cursor), "%" APR_INT64_T_FMT "-1", at);
    must(bl_store_conversations(store, "user:heavy", NULL, 20, cursor, &out),
         "list");
}

static void own_search(void)
{
    must(bl_store_conversations(store, owner_of(roll(conversations / 20)),
                                "茶汤", 20, NULL, &out),
         "search");
}

static void heavy_search_for_nothing(void)
{
    must(bl_store_conversations(store, "user:heavy", "没有这个词", 20, NULL,
                                &out),
         "search");
}

static void open_one(void)
{
    long n = roll(conversations);
    char id[32];

    snprintf(id, sizeof(id), "c%ld", n);
    must(bl_store_conversation(
             store, n % 100 ? owner_of(n % (conversations / 20)) : "user:heavy",
             id, &out),
         "open");
}

static void admin_ask(bl_conversation_filter_t *f)
{
    f->limit = 50;
    must(bl_store_all_conversations(store, f, &out), "admin list");
}

static void admin_list(void)
{
    bl_conversation_filter_t f;

    memset(&f, 0, sizeof(f));
    f.to = bl_clock_wall() - roll(conversations) * 60000000;
    admin_ask(&f);
}

static void admin_list_of_a_user(void)
{
    bl_conversation_filter_t f;

    memset(&f, 0, sizeof(f));
    f.user = owner_of(roll(conversations / 20));
    admin_ask(&f);
}

static void admin_list_of_a_seldom_app(void)
{
    bl_conversation_filter_t f;

    memset(&f, 0, sizeof(f));
    f.app = "seldom";
    admin_ask(&f);
}

static void settings(void)
{
    apr_int64_t version;

    must(bl_store_settings(store, &out, &version), "settings");
}

static void by_idempotency_key(void)
{
    char id[BL_ID_TEXT + 1];

    if (bl_store_by_idempotency(store, "user:heavy", "k", id) != BL_E_NOT_FOUND)
    {
        exit(2);
    }
}

static apr_status_t ignore(void *ctx, const bl_usage_row_t *row)
{
    (void)ctx;
    (void)row;
    return APR_SUCCESS;
}

static void usage_of_a_month(void)
{
    bl_usage_filter_t f;

    memset(&f, 0, sizeof(f));
    f.by = BL_USAGE_BY_USER;
    f.from_day = 20100;
    f.to_day = 20129;
    f.most = 1000;
    must(bl_store_usage(store, &f, ignore, NULL), "usage");
}

/* --- measuring ---------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(const char *name, void (*fn)(void), int is_limited)
{
    double *took = calloc((size_t)asks, sizeof(*took)), p99;
    long i;

    for (i = 0; took && i < asks; i++) {
        double start = now_ms();

        bl_buf_clear(&out);
        fn();
        took[i] = now_ms() - start;
    }
    if (!took) exit(2);
    qsort(took, (size_t)asks, sizeof(*took), by_value);
    p99 = took[(asks - 1) * 99 / 100];
    if (is_limited && most_ms && p99 > (double)most_ms) is_slow = 1;
    printf("%-28s p50 %8.2f  p99 %8.2f  most %8.2f\n", name, took[asks / 2],
           p99, took[asks - 1]);
    free(took);
}

static void measure_all(void)
{
    measure("list", own_list, 1);
    measure("list, heavy, middle", heavy_list_in_its_middle, 1);
    measure("search", own_search, 1);
    measure("search, heavy, nothing", heavy_search_for_nothing, 1);
    measure("open", open_one, 1);
    measure("idempotency key", by_idempotency_key, 1);
    measure("admin list", admin_list, 1);
    measure("admin list of a user", admin_list_of_a_user, 1);
    measure("admin list, seldom app", admin_list_of_a_seldom_app, 1);
    measure("settings", settings, 1);
    measure("usage of a month by user", usage_of_a_month, 0);
}

static void open_store(const char *path)
{
    bl_store_conf_t conf;
    char err[512];

    memset(&conf, 0, sizeof(conf));
    conf.path = path;
    conf.is_tool = 1;
    if (bl_store_open(&store, &conf, err, sizeof(err)) != APR_SUCCESS) {
        fprintf(stderr, "%s\n", err);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    char path[1024];
    double start;
    fill_t f;

    if (argc != 6) return 2;
    snprintf(path, sizeof(path), "%s/bailian.db", argv[1]);
    memset(&f, 0, sizeof(f));
    f.conversations = conversations = atol(argv[2]);
    f.owners = conversations / 20;
    f.keys = atol(argv[3]);
    f.pairs = PAIRS;
    f.newest = bl_clock_wall();
    asks = atol(argv[4]);
    most_ms = atol(argv[5]);
    open_store(path);
    bl_store_close(store, 1000);
    start = now_ms();
    fill(path, &f);
    printf("filled in %.0f s: %ld conversations, %ld messages, %ld keys\n",
           (now_ms() - start) / 1e3, conversations,
           fill_count(path, "SELECT count(*) FROM message"), f.keys);
    start = now_ms();
    open_store(path);
    printf("opened with its catalog in %.0f ms\n", now_ms() - start);
    bl_buf_init(&out, 64u << 20);
    measure_all();
    bl_buf_release(&out);
    bl_store_close(store, 1000);
    return is_slow;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* D16: no statement of the request path reads a whole table that grows. Every
 * statement that the store ran while it was asked everything is looked at. */
#include "store_env.h"

#include "base/clock.h"
#include "store/conversations.h"
#include "store/members.h"
#include "store/retention.h"
#include "store/usage_read.h"

#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#define TEXTS 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *texts[TEXTS]; /* guarded by lock: each SQL text that was run */
static int text_count;
static bl_buf_t out;

/* On the thread that runs the statement. */
static int note_statement(unsigned event, void *ctx, void *statement, void *x)
{
    const char *sql = sqlite3_sql(statement);
    int i;

    (void)event;
    (void)ctx;
    (void)x;
    pthread_mutex_lock(&lock);
    for (i = 0; i < text_count && strcmp(texts[i], sql) != 0; i++)
        ;
    if (i == text_count && i < TEXTS) texts[text_count++] = strdup(sql);
    pthread_mutex_unlock(&lock);
    return 0;
}

/* Called by SQLite for each new connection. */
static int note_connection(sqlite3 *h, const char **perr, const void *api)
{
    (void)perr;
    (void)api;
    sqlite3_trace_v2(h, SQLITE_TRACE_STMT, note_statement, NULL);
    return SQLITE_OK;
}

/* Tables that grow with use, and the aliases they have in statements. A catalog
 * (keys, apps) is read whole by its nature, into one snapshot. */
static const char *const large[] = {"conversation",
                                    "message",
                                    "stream",
                                    "stream_event",
                                    "usage_day",
                                    "audit",
                                    "deletion",
                                    "conversation_member",
                                    "c",
                                    "m",
                                    "s",
                                    "e",
                                    "d",
                                    "q",
                                    "b"};

/* These indexes hold only what is open now. */
static int is_small_index(const char *rest)
{
    return !strcmp(rest, " USING INDEX deletion_open") ||
           !strcmp(rest, " USING INDEX stream_live");
}

static int is_large(const char *detail)
{
    size_t i, len;

    if (strncmp(detail, "SCAN ", 5)) return 0;
    detail += 5;
    len = strcspn(detail, " ");
    for (i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        if (strlen(large[i]) == len && !strncmp(detail, large[i], len)) {
            return !is_small_index(detail + len);
        }
    }
    return 0;
}

/* The few that may, because LIMIT ends them after a page. */
static int is_allowed(const char *sql)
{
    return strstr(sql, "FROM deletion ORDER BY id DESC LIMIT 100") != NULL;
}

/* How many lines of its plan read a large table from end to end. */
static int scans_of(sqlite3 *h, const char *sql)
{
    char *text = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *st = NULL;
    int n = 0;

    assert_int_equal(sqlite3_prepare_v2(h, text, -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(st, 3);

        if (!is_large(detail) || is_allowed(sql)) continue;
        print_error("%s\n    %s\n", sql, detail);
        n++;
    }
    sqlite3_finalize(st);
    sqlite3_free(text);
    return n;
}

static int is_plannable(const char *sql)
{
    return !strncmp(sql, "SELECT", 6) || !strncmp(sql, "DELETE", 6) ||
           !strncmp(sql, "UPDATE", 6) || !strncmp(sql, "INSERT", 6);
}

/* Of all that was run; *pn how many statements that were. */
static int all_scans(env_t *env, int *pn)
{
    int i, n = 0;
    sqlite3 *h;

    *pn = 0;
    assert_int_equal(sqlite3_open(env->path, &h), SQLITE_OK);
    for (i = 0; i < text_count; i++) {
        if (!is_plannable(texts[i])) continue;
        ++*pn;
        n += scans_of(h, texts[i]);
    }
    sqlite3_close(h);
    return n;
}

static apr_status_t ignore_row(void *ctx, const bl_usage_row_t *row)
{
    (void)ctx;
    (void)row;
    return APR_SUCCESS;
}

static apr_status_t ignore_event(void *ctx, const bl_event_t *ev)
{
    (void)ctx;
    (void)ev;
    return APR_SUCCESS;
}

static void write_answers(bl_store_t *s)
{
    static const char *const words[] = {"a", "b", NULL};
    char name[32];
    int i;

    for (i = 1; i <= 20; i++) {
        snprintf(name, sizeof(name), "c%d", i % 7);
        env_begin(s, i, i % 2 ? "user:li" : "user:wang", name, "question");
        env_say(s, i, 1, words);
        if (i % 5) env_end(s, i, BL_OUTCOME_COMPLETED, "answer", 2);
    }
    env_settle(s);
}

static void ask_as_owner(bl_store_t *s)
{
    bl_session_stream_t session;
    bl_stored_stream_t row;
    char id[BL_ID_TEXT + 1];

    bl_store_conversations(s, "user:li", NULL, 20, NULL, &out);
    bl_store_conversations(s, "user:li", "answer", 20, "99999999-1", &out);
    bl_store_conversation(s, "user:li", "c1", &out);
    bl_store_conversation_markdown(s, "user:li", "c1", &out);
    bl_store_session(s, "user:li", "c1", id, sizeof(id));
    bl_store_stream(s, env_id(1), &row);
    bl_store_by_idempotency(s, "user:li", "k", id);
    bl_store_session_stream(s, "user:li", 0, "c1", &session);
    bl_store_session_stream(s, "anon:", 1, "c1", &session);
    bl_store_events(s, env_id(1), 0, ignore_event, NULL);
    bl_store_do_rename(s, "user:li", "c1", "title");
    bl_store_do_delete(s, "user:li", "c3");
}

static void ignore_member(void *ctx, const char *principal)
{
    (void)ctx;
    (void)principal;
}

static void ask_as_member(bl_store_t *s)
{
    char id[BL_SHARED_ID_BYTES], owner[BL_PRINCIPAL_BYTES];

    bl_store_do_member_add(s, "user:li", "c5", "user:zhao", 1, id);
    bl_store_shared_owner(s, "user:zhao", id, owner);
    bl_store_stream_shared(s, "user:zhao", env_id(5), owner);
    bl_store_each_member(s, "user:zhao", id, ignore_member, NULL);
    bl_store_members(s, "user:zhao", id, &out);
    bl_store_do_member_remove(s, "user:li", id, "user:zhao");
}

static void ask_usage(bl_store_t *s)
{
    bl_usage_filter_t f;
    int by;

    memset(&f, 0, sizeof(f));
    f.to_day = 30000;
    f.most = 10;
    for (by = BL_USAGE_BY_DAY; by <= BL_USAGE_TOTAL; by++) {
        f.by = (bl_usage_by_t)by;
        bl_store_usage(s, &f, ignore_row, NULL);
    }
}

static void ask_as_admin(bl_store_t *s)
{
    bl_deletion_t d = {"user:wang", 0}, all = {NULL, 1};
    bl_conversation_filter_t f;
    apr_int64_t n;

    memset(&f, 0, sizeof(f));
    f.limit = 10;
    bl_store_all_conversations(s, &f, &out);
    f.user = "user:li";
    f.app = "qa";
    f.query = "answer";
    f.shown = &env_who;
    bl_store_all_conversations(s, &f, &out);
    bl_store_any_conversation(s, &env_who, "1-1", BL_CONVERSATION_READ, &out);
    bl_store_do_any_delete(s, &env_who, "1-1");
    bl_store_settings(s, &out, &n);
    bl_store_deletion_count(s, &d, &n);
    bl_store_deletion_count(s, &all, &n);
    bl_store_do_deletion(s, &env_who, &d, &n);
    bl_store_deletions(s, n, &out);
    bl_store_deletions(s, 0, &out);
    ask_usage(s);
}

static void wait_for_the_deletion(env_t *env)
{
    int left = 3000;

    while (strcmp(env_sql(env, "SELECT count(*) FROM deletion"
                               " WHERE ended_at IS NULL"),
                  "0") != 0)
    {
        assert_true(left-- > 0);
        usleep(10000);
    }
}

static void test_d16_no_statement_reads_a_whole_table(void **state)
{
    bl_retention_change_t change = {1, 1, 1, 1};
    int n, recovered;
    env_t env;

    (void)state;
    bl_buf_init(&out, 1 << 20);
    sqlite3_auto_extension((void (*)(void))note_connection);
    env_open(&env);
    write_answers(env.store);
    ask_as_owner(env.store);
    ask_as_member(env.store);
    ask_as_admin(env.store);
    bl_store_do_settings(env.store, &env_who, 1, &change);
    bl_store_do_recover(env.store, &recovered);
    wait_for_the_deletion(&env);
    sqlite3_reset_auto_extension();
    bl_store_close(env.store, 5000);
    env.store = NULL;
    assert_int_equal(all_scans(&env, &n), 0);
    assert_true(n > 50);
    bl_buf_release(&out);
    while (text_count)
        free(texts[--text_count]);
    env_close(&env);
}

/* The guard is able to see a scan. */
static void test_d16_a_scan_would_be_seen(void **state)
{
    env_t env;
    sqlite3 *h;

    (void)state;
    env_open(&env);
    assert_int_equal(sqlite3_open(env.path, &h), SQLITE_OK);
    assert_int_equal(scans_of(h, "SELECT 1 FROM message WHERE content = 'x'"),
                     1);
    assert_int_equal(
        scans_of(h, "SELECT 1 FROM message m WHERE m.content = 'x'"), 1);
    assert_int_equal(scans_of(h, "SELECT 1 FROM message WHERE id = 1"), 0);
    sqlite3_close(h);
    env_close(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_d16_no_statement_reads_a_whole_table),
        cmocka_unit_test(test_d16_a_scan_would_be_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

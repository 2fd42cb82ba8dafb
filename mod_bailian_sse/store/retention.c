/* SPDX-License-Identifier: Apache-2.0 */
/* The deleting. Settings and deletions that are asked for: settings.c. */
#include "store/retention.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/time_text.h"
#include "store/store_private.h"

#include <time.h>

#define WORK_MS 30 /* the rest of a slice is for its commit */
#define PAUSE_MS 100
#define MESSAGES_AT_ONCE 16
#define VACUUM_PAGES 64
#define FREE_PAGES_KEPT 2048 /* 8 MiB wait to be used again */

typedef struct due_t {
    apr_int64_t deletion;     /* 0: none */
    apr_int64_t conversation; /* the oldest one that is due; 0: none */
    apr_int64_t stream;       /* likewise, with its events */
} due_t;

/* What a slice costs is real time, also where a test has stopped the clock. */
static apr_int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (apr_int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- what is due -------------------------------------------------------- */

/* A row with one number, or 0. */
static apr_status_t take_number(bl_db_t *db, sqlite3_stmt *st, apr_int64_t *pn)
{
    apr_status_t rv = bl_db_step(db, st);

    *pn = rv == APR_SUCCESS ? sqlite3_column_int64(st, 0) : 0;
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t oldest_conversation(bl_db_t *db, apr_time_t before,
                                        apr_int64_t *pid)
{
    static const char sql[] =
        "SELECT id FROM conversation WHERE"
        " updated_at < ?1 ORDER BY updated_at, id LIMIT 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (st) bl_db_int(st, 1, before);
    return take_number(db, st, pid);
}

static apr_status_t oldest_of_owner(bl_db_t *db, const char *owner,
                                    apr_time_t before, apr_int64_t *pid)
{
    static const char sql[] =
        "SELECT id FROM conversation WHERE owner = ?1 AND updated_at < ?2"
        " ORDER BY updated_at, id LIMIT 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (st) bl_db_text(st, 1, owner);
    if (st) bl_db_int(st, 2, before);
    return take_number(db, st, pid);
}

static apr_status_t oldest_stream(bl_db_t *db, apr_time_t before,
                                  apr_int64_t *pid)
{
    static const char sql[] =
        "SELECT id FROM stream WHERE outcome <> 0 AND trimmed_to = 0"
        " AND ended_at < ?1 ORDER BY ended_at LIMIT 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (st) bl_db_int(st, 1, before);
    return take_number(db, st, pid);
}

/* The conversation that the oldest open deletion deletes next. */
static apr_status_t next_of_deletion(bl_db_t *db, due_t *due)
{
    static const char sql[] =
        "SELECT id, owner, before FROM deletion WHERE ended_at IS NULL"
        " ORDER BY id LIMIT 1";
    char owner[BL_PRINCIPAL_BYTES];
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv = bl_db_step(db, st);
    apr_time_t before;
    int has_owner;

    if (rv != APR_SUCCESS) {
        bl_db_done(st);
        return rv == APR_EOF ? APR_SUCCESS : rv;
    }
    due->deletion = sqlite3_column_int64(st, 0);
    has_owner = sqlite3_column_type(st, 1) != SQLITE_NULL;
    bl_db_copy(st, 1, owner, sizeof(owner));
    before = sqlite3_column_int64(st, 2);
    bl_db_done(st);
    return has_owner ? oldest_of_owner(db, owner, before, &due->conversation)
                     : oldest_conversation(db, before, &due->conversation);
}

static apr_status_t read_days(bl_db_t *db, apr_int64_t *pconversations,
                              apr_int64_t *pevents)
{
    static const char sql[] =
        "SELECT conversation_days, event_days FROM retention WHERE id = 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv = bl_db_step(db, st);

    if (rv == APR_SUCCESS) {
        *pconversations = sqlite3_column_int64(st, 0); /* NULL is 0 */
        *pevents = sqlite3_column_int64(st, 1);
    }
    bl_db_done(st);
    return rv;
}

static apr_status_t look_what_is_due(bl_db_t *db, due_t *due)
{
    apr_time_t now = bl_clock_wall();
    apr_int64_t conversation_days = 0, event_days = 0;
    apr_status_t rv = read_days(db, &conversation_days, &event_days);

    due->deletion = due->conversation = due->stream = 0;
    if (rv == APR_SUCCESS) rv = next_of_deletion(db, due);
    if (rv == APR_SUCCESS && !due->deletion && conversation_days) {
        rv = oldest_conversation(db, now - conversation_days * BL_DAY_US,
                                 &due->conversation);
    }
    if (rv == APR_SUCCESS && !due->deletion && !due->conversation && event_days)
    {
        rv = oldest_stream(db, now - event_days * BL_DAY_US, &due->stream);
    }
    return rv;
}

static int is_anything(const due_t *due)
{
    return due->deletion || due->conversation || due->stream;
}

/* --- one step ----------------------------------------------------------- */

static apr_status_t run_with(bl_db_t *db, const char *sql, apr_int64_t n,
                             int *pchanged)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (st) bl_db_int(st, 1, n);
    return bl_db_run(db, st, pchanged);
}

/* A few of its messages with all that hangs on them, or, when there are none
 * left, the conversation. A long one takes several slices: until the last of
 * them its newer part is still seen. */
static apr_status_t delete_some(bl_db_t *db, apr_int64_t id, int *pis_gone)
{
    static const char sql_messages[] =
        "DELETE FROM message WHERE id IN (SELECT id FROM message"
        " WHERE conversation_id = ?1 ORDER BY id LIMIT 16)";
    static const char sql_conversation[] =
        "DELETE FROM conversation WHERE id = ?1";
    int changed = 0;
    apr_status_t rv = run_with(db, sql_messages, id, &changed);

    *pis_gone = rv == APR_SUCCESS && changed < MESSAGES_AT_ONCE;
    if (*pis_gone) rv = run_with(db, sql_conversation, id, NULL);
    return rv;
}

/* One without events is done with it, too: trimmed_to is never 0 after it. */
static apr_status_t trim_stream(bl_db_t *db, apr_int64_t id)
{
    static const char sql_note[] =
        "UPDATE stream SET trimmed_to = max(1, event_count,"
        " coalesce((SELECT max(last_seq) FROM stream_event"
        " WHERE stream = ?1), 0)) WHERE id = ?1";
    static const char sql_delete[] =
        "DELETE FROM stream_event WHERE stream = ?1";
    apr_status_t rv = run_with(db, sql_note, id, NULL);

    return rv == APR_SUCCESS ? run_with(db, sql_delete, id, NULL) : rv;
}

static apr_status_t note_deleted(bl_db_t *db, apr_int64_t deletion)
{
    static const char sql[] =
        "UPDATE deletion SET deleted = deleted + 1 WHERE id = ?1";

    return run_with(db, sql, deletion, NULL);
}

static apr_status_t end_deletion(bl_db_t *db, apr_int64_t deletion)
{
    static const char sql[] = "UPDATE deletion SET ended_at = ?2 WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (st) bl_db_int(st, 1, deletion);
    if (st) bl_db_int(st, 2, bl_clock_wall());
    return bl_db_run(db, st, NULL);
}

static apr_status_t step(bl_db_t *db, const due_t *due, bl_kept_t *k)
{
    apr_status_t rv;
    int is_gone = 0;

    if (due->conversation) {
        rv = delete_some(db, due->conversation, &is_gone);
        k->conversations += is_gone;
        if (rv == APR_SUCCESS && is_gone && due->deletion) {
            rv = note_deleted(db, due->deletion);
        }
        return rv;
    }
    if (due->deletion) return end_deletion(db, due->deletion);
    rv = trim_stream(db, due->stream);
    k->streams += rv == APR_SUCCESS;
    return rv;
}

/* --- space -------------------------------------------------------------- */

/* Pages to give back. A database made before there was a retention has no map
 * that would allow it; there they are used again. */
static int has_space_to_give_back(bl_db_t *db)
{
    apr_int64_t mode = 0, unused = 0, all = 0;

    bl_db_number(db, "PRAGMA auto_vacuum", 0, &mode);
    bl_db_number(db, "PRAGMA freelist_count", 0, &unused);
    bl_db_number(db, "PRAGMA page_count", 0, &all);
    return mode == 2 && unused > FREE_PAGES_KEPT && unused > all / 8;
}

static apr_status_t give_back(bl_db_t *db)
{
    static const char sql[] = "PRAGMA incremental_vacuum(64)";

    return bl_db_run(db, bl_db_stmt(db, sql), NULL);
}

/* --- slices ------------------------------------------------------------- */

/* Goes on with the pass of a process that died in it. */
static apr_status_t note_begin(bl_db_t *db)
{
    static const char sql[] =
        "UPDATE retention SET is_running = 1, pass_at = ?1, conversations = 0,"
        " streams = 0 WHERE id = 1 AND is_running = 0";

    return run_with(db, sql, bl_clock_wall(), NULL);
}

static apr_status_t note_progress(bl_db_t *db, const bl_kept_t *before,
                                  const bl_kept_t *now, int is_running)
{
    static const char sql[] =
        "UPDATE retention SET conversations = conversations + ?1,"
        " streams = streams + ?2, is_running = ?3 WHERE id = 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (st) bl_db_int(st, 1, now->conversations - before->conversations);
    if (st) bl_db_int(st, 2, now->streams - before->streams);
    if (st) bl_db_int(st, 3, is_running);
    return bl_db_run(db, st, NULL);
}

/* Steps until the time is up or nothing is due: *pis_over. */
static apr_status_t work(bl_db_t *db, bl_kept_t *k, int *pis_over)
{
    apr_int64_t until = now_ms() + WORK_MS;
    apr_status_t rv = APR_SUCCESS;
    due_t due;

    *pis_over = 0;
    while (rv == APR_SUCCESS && now_ms() < until) {
        rv = look_what_is_due(db, &due);
        if (rv != APR_SUCCESS) break;
        if (is_anything(&due))
            rv = step(db, &due, k);
        else if (has_space_to_give_back(db))
            rv = give_back(db);
        else
            *pis_over = 1;
        if (*pis_over) break;
    }
    return rv;
}

static apr_status_t slice(bl_db_t *db, bl_kept_t *k, int *pis_over)
{
    bl_kept_t before = *k;
    apr_status_t rv = bl_db_begin(db, 0);

    *pis_over = 0;
    if (rv != APR_SUCCESS) return rv;
    rv = note_begin(db);
    if (rv == APR_SUCCESS) rv = work(db, k, pis_over);
    if (rv == APR_SUCCESS) rv = note_progress(db, &before, k, !*pis_over);
    if (rv == APR_SUCCESS)
        rv = bl_db_commit(db);
    else
        bl_db_rollback(db);
    if (rv != APR_SUCCESS) *k = before;
    return rv;
}

static void end_pass(bl_store_t *s)
{
    bl_lock_release_child(s->lock, BL_LOCK_RETENTION);
    bl_log(BL_LOG_INFO, 0,
           BL_LOGNO(1420) "retention: %ld conversations deleted, the events of "
                          "%ld streams",
           (long)s->kept.conversations, (long)s->kept.streams);
    s->kept.is_ours = 0;
    s->kept.conversations = s->kept.streams = 0;
    bl_retention_note_delete(s);
}

void bl_retention_note_delete(bl_store_t *s)
{
    __atomic_store_n(&s->kept.wants_empty_log, 1, __ATOMIC_RELAXED);
}

/* Old text stands in the log, too, until it is emptied. */
static void empty_log(bl_store_t *s, bl_db_t *db)
{
    if (!__atomic_exchange_n(&s->kept.wants_empty_log, 0, __ATOMIC_RELAXED)) {
        return;
    }
    if (!bl_db_empty_log(db)) bl_retention_note_delete(s);
}

bl_ms_t bl_retention_wt_step(bl_store_t *s, bl_db_t *db, int is_slow)
{
    bl_kept_t *k = &s->kept;
    int is_over;
    due_t due;

    if (!k->is_ours) {
        if (is_slow) empty_log(s, db);
        if (look_what_is_due(db, &due) != APR_SUCCESS || !is_anything(&due)) {
            return 0;
        }
        if (bl_lock_take_child(s->lock, BL_LOCK_RETENTION) != APR_SUCCESS) {
            return 0;
        }
        k->is_ours = 1;
    }
    if (slice(db, k, &is_over) != APR_SUCCESS) return 0; /* later again */
    bl_db_checkpoint(db, 0);
    if (is_over) end_pass(s);
    return PAUSE_MS;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fill.h"

#include "base/buf.h"
#include "stream/journal.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 10000

static void check(sqlite3 *h, int rc, const char *what)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW) return;
    fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(h));
    exit(2);
}

static void run(sqlite3 *h, const char *sql)
{
    check(h, sqlite3_exec(h, sql, NULL, NULL, NULL), sql);
}

static sqlite3 *connect_to(const char *path)
{
    sqlite3 *h;

    check(NULL, sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE, NULL), path);
    sqlite3_busy_timeout(h, 10000);
    sqlite3_wal_autocheckpoint(h, 0);
    sqlite3_db_config(h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    return h;
}

/* What all statements below count with. */
#define NUMBERS                                                                \
    "WITH n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2),"     \
    " k(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM k WHERE j < ?3 - 1) "

static const char sql_conversation[] = NUMBERS
    "INSERT INTO conversation (id, owner, client_id, title, created_at,"
    " updated_at) SELECT i, iif(i % 100, 'user:u' || (i % ?4), 'user:heavy'),"
    " 'c' || i, '第 ' || i || ' 个问题', ?5 + i * 60000000, ?5 + i * 60000000"
    " FROM n";
static const char sql_question[] = NUMBERS
    "INSERT INTO message (id, conversation_id, role, answer_id, content,"
    " created_at) SELECT 2 * (i * ?3 + j), i, 'user', 2 * (i * ?3 + j) + 1,"
    " '第 ' || i || ' 个问题：绿茶用多少度的水泡？', ?5 + i * 60000000"
    " FROM n, k";
static const char sql_answer[] = NUMBERS
    "INSERT INTO message (id, conversation_id, role, content, created_at)"
    " SELECT 2 * (i * ?3 + j) + 1, i, 'assistant', '" FILL_MARK " 绿茶适合用"
    "80℃左右的水冲泡，水太烫会让茶汤发苦。' || iif(i % 5000, '',"
    " '" FILL_RARE "'), ?5 + i * 60000000 FROM n, k";
static const char sql_stream[] = NUMBERS
    "INSERT INTO stream (id, stream_id, app, transport, child_id, outcome,"
    " text_len, event_count, attempts, key_id, input_tokens, output_tokens,"
    " started_at, ended_at) SELECT 2 * (i * ?3 + j) + 1, randomblob(16),"
    " iif(i % 5000, 'qa', 'seldom'), 'sse', 1, 1, 100, 3, 1, 1, 10, 20,"
    " ?5 + i * 60000000, ?5 + i * 60000000 FROM n, k";
static const char sql_event[] =
    NUMBERS "INSERT INTO stream_event (stream, first_seq, last_seq, data)"
            " SELECT 2 * (i * ?3 + j) + 1, 1, 3, ?6 FROM n, k";
static const char sql_usage[] = NUMBERS
    "INSERT INTO usage_day SELECT i % 365 + 20000, 'user:u' || (i / 365), 'qa',"
    " 1, 10, 1, 100, 200 FROM n WHERE i < 365000";
static const char sql_key[] =
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
    " INSERT INTO api_key (upstream_id, name, state, last4, fingerprint,"
    " sealed, version, master_key_id, weight, priority, created_at,"
    " updated_at) SELECT 1, 'key' || i, 'enabled', printf('%04d', i % 10000),"
    " printf('%016x', i), randomblob(80), 1, 1, 1, 0, 1, 1 FROM n";

static void insert(sqlite3 *h, const char *sql, const fill_t *f, long first,
                   long last, const bl_buf_t *events)
{
    sqlite3_stmt *st = NULL;

    check(h, sqlite3_prepare_v2(h, sql, -1, &st, NULL), sql);
    sqlite3_bind_int64(st, 1, first);
    sqlite3_bind_int64(st, 2, last);
    sqlite3_bind_int64(st, 3, f->pairs);
    sqlite3_bind_int64(st, 4, f->owners);
    sqlite3_bind_int64(st, 5, f->newest - f->conversations * 60000000);
    sqlite3_bind_blob(st, 6, events->data, (int)events->len, SQLITE_STATIC);
    check(h, sqlite3_step(st), sql);
    sqlite3_finalize(st);
}

static void pack(bl_buf_t *run_of)
{
    static const bl_event_kind_t kinds[] = {BL_EV_START, BL_EV_DELTA,
                                            BL_EV_END};
    bl_event_t ev;
    int i;

    bl_buf_init(run_of, 4096);
    for (i = 0; i < 3; i++) {
        memset(&ev, 0, sizeof(ev));
        ev.kind = kinds[i];
        ev.text = i == 1 ? FILL_MARK " 绿茶适合用80℃左右的水冲泡" : "";
        ev.text_len = strlen(ev.text);
        bl_event_pack(run_of, &ev);
    }
}

static void fill_keys(sqlite3 *h, long keys)
{
    sqlite3_stmt *st = NULL;

    if (!keys) return;
    run(h, "BEGIN; INSERT OR IGNORE INTO upstream (id, name, kind, base_url,"
           " use_http2, created_at, updated_at) VALUES (1, 'up',"
           " 'bailian-app', 'https://x.example', 1, 1, 1)");
    check(h, sqlite3_prepare_v2(h, sql_key, -1, &st, NULL), sql_key);
    sqlite3_bind_int64(st, 1, keys);
    check(h, sqlite3_step(st), sql_key);
    sqlite3_finalize(st);
    run(h, "COMMIT");
}

void fill(const char *path, const fill_t *f)
{
    static const char *const tables[] = {sql_conversation, sql_question,
                                         sql_answer,       sql_stream,
                                         sql_event,        sql_usage};
    sqlite3 *h = connect_to(path);
    bl_buf_t events;
    long first;
    size_t t;

    pack(&events);
    run(h, "PRAGMA synchronous=OFF; PRAGMA cache_size=-200000");
    for (first = 1; first <= f->conversations; first += CHUNK) {
        long last = first + CHUNK - 1;

        if (last > f->conversations) last = f->conversations;
        run(h, "BEGIN");
        for (t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
            insert(h, tables[t], f, first, last, &events);
        run(h, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    }
    fill_keys(h, f->keys);
    run(h, "PRAGMA wal_checkpoint(TRUNCATE)");
    bl_buf_release(&events);
    sqlite3_close(h);
}

long fill_count(const char *path, const char *sql)
{
    sqlite3 *h = connect_to(path);
    sqlite3_stmt *st = NULL;
    long n;

    check(h, sqlite3_prepare_v2(h, sql, -1, &st, NULL), sql);
    check(h, sqlite3_step(st), sql);
    n = (long)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(h);
    return n;
}

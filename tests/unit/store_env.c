/* SPDX-License-Identifier: Apache-2.0 */
#include "store_env.h"

#include "base/clock.h"
#include "crypto/keyring.h"
#include "stream/journal.h"

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

const bl_admin_who_t env_who = {"cli:test", "local"};

void env_make(env_t *env)
{
    char err[256] = "";

    memset(env, 0, sizeof(*env));
    snprintf(env->dir, sizeof(env->dir), "/tmp/bl-store-XXXXXX");
    assert_non_null(mkdtemp(env->dir));
    snprintf(env->path, sizeof(env->path), "%s/bailian.db", env->dir);
    snprintf(env->key_path, sizeof(env->key_path), "%s/master.key", env->dir);
    assert_int_equal(bl_keyring_file_create(env->key_path, err, sizeof(err)),
                     APR_SUCCESS);
}

bl_store_t *env_second(env_t *env)
{
    bl_store_conf_t conf;
    bl_store_t *s;
    char err[512] = "";

    memset(&conf, 0, sizeof(conf));
    conf.path = env->path;
    conf.master_key_path = env->key_path;
    if (bl_store_open(&s, &conf, err, sizeof(err)) != APR_SUCCESS) {
        fail_msg("store: %s", err);
    }
    return s;
}

void env_open(env_t *env)
{
    env_make(env);
    env->store = env_second(env);
}

void env_close(env_t *env)
{
    char name[512];
    struct dirent *entry;
    DIR *dir;

    bl_store_close(env->store, 5000);
    dir = opendir(env->dir);
    while (dir && (entry = readdir(dir)) != NULL) {
        snprintf(name, sizeof(name), "%s/%s", env->dir, entry->d_name);
        unlink(name);
    }
    if (dir) closedir(dir);
    assert_int_equal(rmdir(env->dir), 0);
}

/* A call that waits for its own transaction stands behind all that was put
 * before. The conversation does not exist: nothing changes. */
void env_settle(bl_store_t *s)
{
    assert_int_equal(bl_store_do_delete(s, "nobody", "nothing"),
                     BL_E_NOT_FOUND);
}

const char *env_sql(env_t *env, const char *sql)
{
    static char out[65536];
    sqlite3 *h;
    sqlite3_stmt *st;
    size_t n = 0;
    int i;

    out[0] = '\0';
    assert_int_equal(
        sqlite3_open_v2(env->path, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(h, 5000);
    sqlite3_wal_autocheckpoint(h, 0);
    sqlite3_db_config(h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (sqlite3_prepare_v2(h, sql, -1, &st, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(h));
    }
    while (sqlite3_step(st) == SQLITE_ROW) {
        for (i = 0; i < sqlite3_column_count(st); i++) {
            const char *s = (const char *)sqlite3_column_text(st, i);

            n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s",
                                  n ? "|" : "", s ? s : "NULL");
            assert_true(n < sizeof(out));
        }
    }
    sqlite3_finalize(st);
    sqlite3_close(h);
    return out;
}

const char *env_id(int n)
{
    static char ids[4][BL_ID_TEXT + 1];
    static int next;
    char *id = ids[next++ & 3];

    snprintf(id, BL_ID_TEXT + 1, "%032x", (unsigned)n);
    return id;
}

void env_begin(bl_store_t *s, int n, const char *owner, const char *conv,
               const char *question)
{
    bl_store_begin_t b;

    memset(&b, 0, sizeof(b));
    b.stream_id = env_id(n);
    b.owner = owner;
    b.conversation_id = conv;
    b.item_id = "item";
    b.app = "qa";
    b.transport = "sse";
    b.question = question;
    b.at = bl_clock_wall();
    assert_int_equal(bl_store_put_begin(s, &b), APR_SUCCESS);
}

void env_say(bl_store_t *s, int n, apr_uint64_t first_seq,
             const char *const *words)
{
    apr_uint64_t last = first_seq - 1;
    bl_buf_t run;

    bl_buf_init(&run, 1 << 20);
    for (; *words; words++, last++) {
        bl_event_t ev;

        memset(&ev, 0, sizeof(ev));
        ev.kind = **words == '~' ? BL_EV_REASONING : BL_EV_DELTA;
        ev.text = *words + (**words == '~');
        ev.text_len = strlen(ev.text);
        assert_int_equal(bl_event_pack(&run, &ev), APR_SUCCESS);
    }
    assert_int_equal(bl_store_put_events(s, env_id(n), first_seq, last,
                                         run.data, run.len, 0),
                     APR_SUCCESS);
}

void env_end(bl_store_t *s, int n, bl_outcome_t outcome, const char *text,
             apr_uint64_t events)
{
    bl_store_end_t e;

    memset(&e, 0, sizeof(e));
    e.stream_id = env_id(n);
    e.outcome = outcome;
    e.text = text;
    e.text_len = strlen(text);
    e.event_count = events;
    e.input_tokens = 7;
    e.output_tokens = 11;
    e.session_id = "session-1";
    e.first_content_ms = 100;
    e.duration_ms = 900;
    e.attempts = 1;
    e.at = bl_clock_wall();
    assert_int_equal(bl_store_put_end(s, &e), APR_SUCCESS);
}

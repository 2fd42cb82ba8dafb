/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_private.h"

#include "base/errors.h"
#include "base/heap.h"
#include "base/log.h"
#include "crypto/keyring.h"
#include "crypto/token.h"
#include "store/copy.h"
#include "store/migrate.h"
#include "store/stream_jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TICK_MS 500   /* catalog: also where no request asks for it */
#define SYNC_TICKS 2  /* every second: what a power cut can take (D11) */
#define REST_TICKS 40 /* every 20 s: readers that are not needed */
#define SLOW_TICKS 10 /* every 5 s: recovery, checkpoint */
#define RECOVER_SLICE 100

apr_status_t bl_store_check_path(const char *path, char *err, size_t err_size)
{
    apr_int64_t owner;

    return bl_path_check(path, &owner, err, err_size);
}

/* --- calls that wait for their transaction ------------------------------ */

static apr_status_t do_here(bl_store_t *s, bl_do_fn *fn, void *ctx)
{
    apr_status_t rv = bl_db_begin(s->db, 1);

    if (rv != APR_SUCCESS) return rv;
    rv = fn(s->db, ctx);
    if (rv == APR_SUCCESS) return bl_db_commit(s->db);
    bl_db_rollback(s->db);
    return rv;
}

apr_status_t bl_store_do(bl_store_t *s, bl_do_fn *fn, void *ctx)
{
    if (__atomic_load_n(&s->is_lost, __ATOMIC_RELAXED)) {
        return BL_E_STORE_UNAVAILABLE;
    }
    if (s->is_tool) return do_here(s, fn, ctx);
    return bl_writer_do(s->writer, fn, ctx, BL_STORE_DO_WAIT_MS);
}

apr_status_t bl_store_read_begin(bl_store_t *s, bl_db_t **pdb)
{
    *pdb = NULL;
    if (__atomic_load_n(&s->is_lost, __ATOMIC_RELAXED)) {
        return BL_E_STORE_UNAVAILABLE;
    }
    return bl_readers_take(s->readers, BL_STORE_READ_WAIT_MS, pdb);
}

apr_status_t bl_store_read_own(bl_store_t *s, const char *owner,
                               const char *conversation_id, bl_db_t **pdb)
{
    if (s->writer && bl_pending_is(&s->pending, owner, conversation_id)) {
        bl_writer_wait(s->writer, BL_STORE_OWN_WAIT_MS);
    }
    return bl_store_read_begin(s, pdb);
}

void bl_store_read_end(bl_store_t *s, bl_db_t *db)
{
    sqlite3 *h = db ? bl_db_handle(db) : NULL;

    bl_readers_give(s->readers, db,
                    h && (sqlite3_errcode(h) & 0xff) == SQLITE_IOERR);
}

/* --- what the writer does besides --------------------------------------- */

/* D09: never two files in use at once. Without a file at our path, or with
 * another one, nothing is written; when ours is back all goes on. */
static void look_at_file(bl_store_t *s)
{
    bl_path_identity_t now;
    int is_lost = bl_path_identity(s->path, &now) != APR_SUCCESS ||
                  now.device != s->identity.device ||
                  now.inode != s->identity.inode ||
                  !bl_lock_is_in_place(s->lock);

    if (is_lost == __atomic_load_n(&s->is_lost, __ATOMIC_RELAXED)) return;
    __atomic_store_n(&s->is_lost, is_lost, __ATOMIC_RELAXED);
    bl_log(is_lost ? BL_LOG_ERR : BL_LOG_INFO, 0,
           BL_LOGNO(1411) "%s or its lock file was %s", s->path,
           is_lost ? "moved, deleted or replaced while in use: nothing is "
                     "stored until it is back, or httpd is restarted"
                   : "put back");
}

static void recover_all(bl_store_t *s, bl_db_t *db)
{
    int n, total = 0;
    apr_status_t rv;

    do {
        n = 0;
        rv = bl_db_begin(db, 0);
        if (rv != APR_SUCCESS) break;
        rv = bl_recover_wt_some(s, db, RECOVER_SLICE, &n);
        if (rv == APR_SUCCESS)
            rv = bl_db_commit(db);
        else
            bl_db_rollback(db);
        if (rv == APR_SUCCESS) total += n;
    } while (rv == APR_SUCCESS && n == RECOVER_SLICE);
    if (total) {
        bl_log(BL_LOG_WARNING, 0,
               BL_LOGNO(1412) "%d streams interrupted: the process that ran "
                              "them is gone",
               total);
    }
}

static bl_ms_t on_tick(void *ctx, bl_db_t *db, int is_after_do)
{
    bl_store_t *s = ctx;
    int is_slow;

    bl_catalog_look(s, db); /* asked again at the next tick when it fails */
    if (is_after_do) return 0;
    look_at_file(s);
    /* Not when it is opened: a full disk must not keep a child from starting.
     */
    if (!s->is_entered) s->is_entered = bl_keyrings_wt_enter(s, db);
    if (__atomic_load_n(&s->is_lost, __ATOMIC_RELAXED)) return 0;
    if (s->ticks % SYNC_TICKS == 0) bl_db_sync(db);
    if (s->ticks % REST_TICKS == 0) bl_readers_close_unneeded(s->readers);
    is_slow = s->ticks++ % SLOW_TICKS == 0;
    if (is_slow && bl_recover_is_needed(s, db)) recover_all(s, db);
    if (is_slow) bl_db_checkpoint(db, 1);
    if (is_slow && bl_db_forget_pages(db)) bl_heap_forget();
    if (is_slow) bl_readers_forget_pages(s->readers);
    return bl_retention_wt_step(s, db, is_slow);
}

typedef struct recover_call_t {
    bl_store_t *s;
    int n;
} recover_call_t;

static apr_status_t do_recover(bl_db_t *db, void *ctx)
{
    recover_call_t *call = ctx;

    return bl_recover_wt_some(call->s, db, RECOVER_SLICE, &call->n);
}

apr_status_t bl_store_do_recover(bl_store_t *s, int *pn)
{
    recover_call_t call = {s, 0};
    apr_status_t rv;

    *pn = 0;
    do {
        call.n = 0;
        rv = bl_store_do(s, do_recover, &call);
        if (rv == APR_SUCCESS) *pn += call.n;
    } while (rv == APR_SUCCESS && call.n == RECOVER_SLICE);
    return rv;
}

/* --- open and close ----------------------------------------------------- */

static apr_status_t take_child_id(bl_store_t *s)
{
    apr_status_t rv;

    do {
        rv = bl_random_bytes(&s->child_id, sizeof(s->child_id));
        if (rv != APR_SUCCESS) return rv;
        s->child_id &= BL_LOCK_CHILD_MOST; /* 1 + id is a file offset */
        if (s->child_id == 0) continue;
        rv = bl_lock_take_child(s->lock, s->child_id);
    } while (rv == APR_EBUSY || s->child_id == 0);
    return rv;
}

static apr_status_t open_keyring(bl_store_t *s, const bl_store_conf_t *conf,
                                 char *err, size_t err_size)
{
    apr_status_t rv;

    s->keyring = conf->keyring;
    if (s->keyring || !conf->master_key_path) return APR_SUCCESS;
    rv = bl_keyring_load(&s->own_keyring, conf->master_key_path, err, err_size);
    s->keyring = s->own_keyring;
    return rv;
}

static apr_status_t open_database(bl_store_t *s, const bl_store_conf_t *conf,
                                  char *err, size_t err_size)
{
    bl_db_mode_t mode = conf->must_be_current ? BL_DB_WRITE : BL_DB_CREATE;
    apr_status_t rv;

    if (conf->must_be_current && access(s->path, F_OK) != 0) {
        snprintf(err, err_size,
                 "%s does not exist: run \"bailianctl --database %s db "
                 "migrate\" to make it",
                 s->path, s->path);
        return BL_E_STORE_UNAVAILABLE;
    }
    rv = bl_lock_open(&s->lock, s->path);
    if (rv != APR_SUCCESS) {
        snprintf(err, err_size,
                 "%s.lock cannot be opened: is its directory "
                 "writable, and is there room on the disk?",
                 s->path);
        return rv;
    }
    rv = bl_db_open_until(&s->db, s->path, mode, s->lock, conf->is_over, NULL,
                          err, err_size);
    if (rv == APR_SUCCESS) {
        rv = bl_migrate(s->db, s->path, bl_sql_steps, bl_sql_steps_count,
                        !conf->must_be_current, err, err_size);
    }
    if (rv != APR_SUCCESS) return rv;
    bl_db_set_schema(s->db, bl_sql_steps_count);
    s->is_guarded = bl_db_is_guarded(s->db);
    if (!s->is_guarded) {
        snprintf(err, err_size,
                 "automatic checkpoints of SQLite %s cannot be "
                 "switched off, and it loses rows with them",
                 sqlite3_libversion());
        return BL_E_STORE_UNAVAILABLE;
    }
    return bl_path_identity(s->path, &s->identity);
}

static apr_status_t start_writer(bl_store_t *s, bl_budget_t *budget, char *err,
                                 size_t err_size)
{
    bl_writer_conf_t conf;
    apr_status_t rv;

    memset(&conf, 0, sizeof(conf));
    conf.db = s->db;
    conf.queue_jobs = BL_STORE_QUEUE;
    conf.queue_bytes = BL_STORE_QUEUE_BYTES;
    conf.budget = budget;
    conf.join = bl_stream_jobs_join;
    conf.tick = on_tick;
    conf.tick_ctx = s;
    conf.tick_ms = TICK_MS;
    rv = bl_writer_create(&s->writer, &conf);
    if (rv == EAGAIN) {
        snprintf(err, err_size,
                 "a thread could not be started: is the limit of processes "
                 "of httpd's user reached?");
    }
    return rv;
}

static apr_status_t open_parts(bl_store_t *s, const bl_store_conf_t *conf,
                               char *err, size_t err_size)
{
    apr_status_t rv = bl_path_check_mine(s->path, err, err_size);

    if (rv == APR_SUCCESS) rv = open_keyring(s, conf, err, err_size);
    if (rv == APR_SUCCESS) rv = open_database(s, conf, err, err_size);
    if (rv == APR_SUCCESS) rv = bl_readers_create(&s->readers, s->path);
    if (rv != APR_SUCCESS) return rv;
    s->catalog_version = -1;
    bl_catalog_look(s, s->db);
    s->told_version = s->catalog_version;
    bl_db_set_committed(s->db, bl_catalog_wt_tell, s);
    if (!s->catalog) {
        snprintf(err, err_size, "%s cannot be read: %s", s->path,
                 sqlite3_errmsg(bl_db_handle(s->db)));
        return BL_E_STORE_UNAVAILABLE;
    }
    if (s->is_tool) return APR_SUCCESS;
    rv = take_child_id(s);
    return rv == APR_SUCCESS ? start_writer(s, conf->budget, err, err_size)
                             : rv;
}

apr_status_t bl_store_open(bl_store_t **ps, const bl_store_conf_t *conf,
                           char *err, size_t err_size)
{
    bl_store_t *s = calloc(1, sizeof(*s));
    char unheard[512];
    apr_status_t rv;

    *ps = NULL;
    if (!s) return APR_ENOMEM;
    if (!err || !err_size) {
        err = unheard;
        err_size = sizeof(unheard);
    }
    *err = '\0';
    pthread_mutex_init(&s->catalog_lock, NULL);
    pthread_mutex_init(&s->load_lock, NULL);
    s->is_tool = conf->is_tool;
    s->path = strdup(conf->path);
    rv = s->path ? open_parts(s, conf, err, err_size) : APR_ENOMEM;
    if (rv != APR_SUCCESS) {
        if (!*err) {
            snprintf(err, err_size, "%s cannot be opened: %s", conf->path,
                     bl_error(rv)->en);
        }
        bl_store_close(s, 0);
        return rv;
    }
    bl_log(BL_LOG_INFO, 0,
           BL_LOGNO(1413) "database %s, schema %d, SQLite %s, guarded", s->path,
           bl_sql_steps_count, sqlite3_libversion());
    *ps = s;
    return APR_SUCCESS;
}

void bl_store_close(bl_store_t *s, bl_ms_t wait_ms)
{
    if (!s) return;
    bl_writer_destroy(s->writer, wait_ms);
    bl_readers_destroy(s->readers);
    bl_db_close(s->db);
    bl_lock_close(s->lock); /* our child id is free from here on */
    bl_keyring_close(s->own_keyring);
    bl_catalog_unref(s->catalog);
    pthread_mutex_destroy(&s->catalog_lock);
    pthread_mutex_destroy(&s->load_lock);
    free(s->path);
    free(s);
}

/* --- health and copies -------------------------------------------------- */

apr_status_t bl_store_last(bl_store_t *s)
{
    bl_writer_health_t w;

    memset(&w, 0, sizeof(w));
    if (s->writer) bl_writer_health(s->writer, &w);
    return __atomic_load_n(&s->is_lost, __ATOMIC_RELAXED)
               ? BL_E_STORE_UNAVAILABLE
               : w.last;
}

const char *bl_store_sqlite_version(void)
{
    return sqlite3_libversion();
}

static bl_trouble_t trouble_of(bl_store_t *s, apr_status_t last)
{
    if (last == APR_SUCCESS) return BL_TROUBLE_NONE;
    if (__atomic_load_n(&s->is_lost, __ATOMIC_RELAXED)) return BL_TROUBLE_GONE;
    if (last == BL_E_STORE_CORRUPT) return BL_TROUBLE_CORRUPT;
    switch (bl_db_trouble(s->db)) {
    case SQLITE_FULL:
        return BL_TROUBLE_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return BL_TROUBLE_LOCKED;
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return BL_TROUBLE_READONLY;
    default:
        return BL_TROUBLE_OTHER;
    }
}

/* Of the folder: the file can be gone. */
static apr_uint64_t free_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct statvfs disk;
    char folder[4096];
    size_t n = slash ? (size_t)(slash - path) : 0;

    if (n >= sizeof(folder)) return 0;
    memcpy(folder, path, n);
    folder[n] = '\0';
    if (statvfs(n ? folder : slash ? "/" : ".", &disk)) return 0;
    return (apr_uint64_t)disk.f_bavail * disk.f_frsize;
}

void bl_store_health(bl_store_t *s, bl_store_health_t *out)
{
    bl_writer_health_t w;

    memset(out, 0, sizeof(*out));
    memset(&w, 0, sizeof(w));
    if (s->writer) bl_writer_health(s->writer, &w);
    out->last = bl_store_last(s);
    out->trouble = trouble_of(s, out->last);
    out->free_bytes = free_bytes(s->path);
    out->queued = w.queued;
    out->queued_bytes = w.queued_bytes;
    out->transactions = w.transactions;
    out->rows = w.rows;
    out->wal_bytes = bl_db_wal_bytes(s->db);
    out->is_guarded = s->is_guarded;
    out->sqlite_version = sqlite3_libversion();
    out->child_id = s->child_id;
}

apr_status_t bl_store_backup(bl_store_t *s, const char *to_path)
{
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv == APR_SUCCESS) rv = bl_copy_database(db, to_path);
    bl_store_read_end(s, db);
    return rv;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store/db.h"

#include "base/errors.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 256 /* a power of two, above the number of SQL texts */
#define BUSY_PAUSE_MS 2
#define LOCK_WAIT_MS 10000           /* fault-matrix.md 1.4: writer */
#define CHECKPOINT_FRAMES 4000       /* 16 MiB of 4 KiB pages */
#define TRUNCATE_BYTES (48ull << 20) /* D05: the log stays below 64 MiB */
#define TRUNCATE_WAIT_MS 100

typedef struct slot_t {
    const char *sql;
    sqlite3_stmt *st;
} slot_t;

struct bl_db_t {
    sqlite3 *h;
    char *path;
    bl_db_mode_t mode;
    bl_lock_t *lock; /* borrowed; NULL for readers */
    slot_t slots[SLOTS];
    apr_status_t failure; /* why bl_db_stmt() answered NULL */
    int trouble;          /* atomic: of the last that was unavailable */
    bl_ms_t wait_ms;
    int (*is_over)(void *ctx);
    void *is_over_ctx;
    int schema;            /* newest version this code knows; 0 = not asked */
    sqlite3_int64 changes; /* at the last bl_db_forget_pages() */
    int is_full_sync;      /* PRAGMA synchronous as it stands */
    int frames;            /* in the log after our newest commit */
    int frames_seen;       /* ... when we last made a checkpoint */
    int is_unsynced;       /* our newest commit may not be on the disk yet */
    void (*committed)(void *ctx, bl_db_t *db); /* may be NULL */
    void *committed_ctx;
};

static apr_status_t bl_db_status(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
        return APR_SUCCESS;
    case SQLITE_DONE:
        return APR_EOF;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return BL_E_STORE_CORRUPT;
    case SQLITE_CONSTRAINT:
        return BL_E_CONFLICT;
    case SQLITE_TOOBIG:
        return BL_E_BAD_VALUE;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
        return BL_E_STORE_UNAVAILABLE;
    default:
        return BL_E_INTERNAL;
    }
}

static void note_trouble(bl_db_t *db, int rc)
{
    __atomic_store_n(&db->trouble, rc & 0xff, __ATOMIC_RELAXED);
}

int bl_db_trouble(const bl_db_t *db)
{
    return __atomic_load_n(&db->trouble, __ATOMIC_RELAXED);
}

static apr_status_t status_of(bl_db_t *db, int rc)
{
    apr_status_t rv = bl_db_status(rc);

    if (rv == BL_E_STORE_UNAVAILABLE) note_trouble(db, rc);
    if (rv == BL_E_INTERNAL) {
        bl_log(BL_LOG_ERR, 0, BL_LOGNO(1402) "SQLite code %d: %s",
               sqlite3_extended_errcode(db->h), sqlite3_errmsg(db->h));
    }
    return rv;
}

static void pause_ms(int ms)
{
    struct timespec ts = {0, ms * 1000000L};

    nanosleep(&ts, NULL);
}

static int on_busy(void *ctx, int tries)
{
    bl_db_t *db = ctx;

    if ((bl_ms_t)tries * BUSY_PAUSE_MS >= db->wait_ms) return 0;
    if (db->is_over && db->is_over(db->is_over_ctx)) return 0;
    pause_ms(BUSY_PAUSE_MS);
    return 1;
}

static int on_wal(void *ctx, sqlite3 *h, const char *name, int frames)
{
    bl_db_t *db = ctx;

    (void)h;
    (void)name;
    db->frames = frames;
    db->is_unsynced = !db->is_full_sync;
    return SQLITE_OK;
}

/* --- open and close ----------------------------------------------------- */

/* Made here and not by SQLite, whose files would be readable by all. */
static apr_status_t make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) return errno == EEXIST ? APR_SUCCESS : BL_E_STORE_UNAVAILABLE;
    close(fd);
    return APR_SUCCESS;
}

/* Text constants: first those for every connection, then for the writer. */
static const char sql_each[] = "PRAGMA foreign_keys=ON;"
                               "PRAGMA temp_store=MEMORY;"
                               "PRAGMA cache_size=-4000;"
                               "PRAGMA mmap_size=0;";
static const char sql_writer[] = "PRAGMA synchronous=NORMAL;"
                                 "PRAGMA secure_delete=ON;"
                                 "PRAGMA journal_size_limit=67108864;";

static int configure(bl_db_t *db)
{
    int rc;

    sqlite3_extended_result_codes(db->h, 1);
    sqlite3_busy_handler(db->h, on_busy, db);
    /* D06: on every connection, readers too. */
    sqlite3_wal_autocheckpoint(db->h, 0);
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    rc = sqlite3_exec(db->h, sql_each, NULL, NULL, NULL);
    if (rc != SQLITE_OK || db->mode == BL_DB_READ) return rc;
    sqlite3_wal_hook(db->h, on_wal, db);
    rc = sqlite3_exec(db->h, sql_writer, NULL, NULL, NULL);
    db->is_full_sync = 0;
    return rc;
}

/* Switching to WAL writes the header, so it is done under the lock. A file
 * that is in WAL mode already is left alone. */
static int to_wal(bl_db_t *db)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db->h, "PRAGMA journal_mode", -1, &st, NULL);
    int is_wal = 0;

    if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        is_wal = !strcmp((const char *)sqlite3_column_text(st, 0), "wal");
        rc = SQLITE_OK;
    }
    sqlite3_finalize(st);
    if (rc != SQLITE_OK || is_wal) return rc;
    /* In a file that is empty still, auto_vacuum lets retention give space
     * back; in any other one it changes nothing. */
    return sqlite3_exec(db->h,
                        "PRAGMA auto_vacuum=INCREMENTAL;"
                        "PRAGMA journal_mode=WAL",
                        NULL, NULL, NULL);
}

static void drop_statements(bl_db_t *db)
{
    int i;

    for (i = 0; i < SLOTS; i++) {
        sqlite3_finalize(db->slots[i].st);
        db->slots[i].st = NULL;
        db->slots[i].sql = NULL;
    }
}

/* Made ready with the connection: that a transaction ends must not depend on
 * memory which may be what failed it. */
static const char sql_rollback[] = "ROLLBACK";

static apr_status_t connect_to(bl_db_t *db, char *err, size_t err_size)
{
    int flags =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
        (db->mode == BL_DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    apr_status_t rv = APR_SUCCESS;
    int rc;

    if (db->mode == BL_DB_CREATE) rv = make_file(db->path);
    if (rv == APR_SUCCESS && db->lock) {
        rv = bl_lock_take(db->lock, db->wait_ms, db->is_over, db->is_over_ctx);
    }
    if (rv != APR_SUCCESS) {
        if (err)
            snprintf(err, err_size, "%s: locked or not writable", db->path);
        return rv;
    }
    rc = sqlite3_open_v2(db->path, &db->h, flags, NULL);
    if (rc == SQLITE_OK) rc = configure(db);
    if (rc == SQLITE_OK && db->mode != BL_DB_READ) rc = to_wal(db);
    if (db->lock) bl_lock_release(db->lock);
    rv = bl_db_status(rc);
    if (rv == APR_SUCCESS && !bl_db_stmt(db, sql_rollback)) rv = db->failure;
    if (rv == APR_SUCCESS) return rv;
    if (err && rv == BL_E_STORE_CORRUPT) {
        snprintf(err, err_size,
                 "%s is damaged (%s): stop httpd, keep a copy, and run "
                 "\"bailianctl --database %s db check\"",
                 db->path, sqlite3_errstr(rc), db->path);
    }
    else if (err) {
        snprintf(err, err_size, "%s cannot be opened: %s", db->path,
                 sqlite3_errstr(rc));
    }
    /* SQLite hands out a handle even when the open failed. */
    drop_statements(db);
    sqlite3_close(db->h);
    db->h = NULL;
    return rv;
}

apr_status_t bl_db_open(bl_db_t **pdb, const char *path, bl_db_mode_t mode,
                        bl_lock_t *lock, char *err, size_t err_size)
{
    return bl_db_open_until(pdb, path, mode, lock, NULL, NULL, err, err_size);
}

apr_status_t bl_db_open_until(bl_db_t **pdb, const char *path,
                              bl_db_mode_t mode, bl_lock_t *lock,
                              int (*is_over)(void *ctx), void *ctx, char *err,
                              size_t err_size)
{
    bl_db_t *db = calloc(1, sizeof(*db));
    apr_status_t rv = APR_ENOMEM;

    *pdb = NULL;
    if (!db) return APR_ENOMEM;
    db->mode = mode;
    db->lock = lock;
    bl_db_set_wait(db, LOCK_WAIT_MS, is_over, ctx);
    db->path = strdup(path);
    if (db->path) rv = connect_to(db, err, err_size);
    if (rv != APR_SUCCESS) {
        bl_db_close(db);
        return rv;
    }
    *pdb = db;
    return APR_SUCCESS;
}

void bl_db_close(bl_db_t *db)
{
    if (!db) return;
    drop_statements(db);
    sqlite3_close(db->h);
    free(db->path);
    free(db);
}

apr_status_t bl_db_reopen(bl_db_t *db)
{
    if (db->mode == BL_DB_CREATE) db->mode = BL_DB_WRITE;
    drop_statements(db);
    sqlite3_close(db->h);
    db->h = NULL;
    return connect_to(db, NULL, 0);
}

void bl_db_set_wait(bl_db_t *db, bl_ms_t wait_ms, int (*is_over)(void *ctx),
                    void *ctx)
{
    db->wait_ms = wait_ms;
    db->is_over = is_over;
    db->is_over_ctx = ctx;
}

void bl_db_set_schema(bl_db_t *db, int version)
{
    db->schema = version;
}

sqlite3 *bl_db_handle(bl_db_t *db)
{
    return db->h;
}

int bl_db_forget_pages(bl_db_t *db)
{
    sqlite3_int64 before = db->changes;

    if (!db->h) return 0;
    db->changes = sqlite3_total_changes64(db->h);
    if (db->changes != before) return 0;
    sqlite3_db_release_memory(db->h);
    return 1;
}

/* --- statements --------------------------------------------------------- */

sqlite3_stmt *bl_db_stmt(bl_db_t *db, const char *sql)
{
    unsigned i = (unsigned)((uintptr_t)sql >> 3) & (SLOTS - 1), left = SLOTS;
    int rc;

    if (!db->h) { /* a reopen failed */
        db->failure = BL_E_STORE_UNAVAILABLE;
        return NULL;
    }
    for (; left && db->slots[i].sql; left--, i = (i + 1) & (SLOTS - 1)) {
        if (db->slots[i].sql == sql) return db->slots[i].st;
    }
    if (!left) {
        bl_log(BL_LOG_ERR, 0, BL_LOGNO(1403) "more than %d SQL texts", SLOTS);
        db->failure = BL_E_INTERNAL;
        return NULL;
    }
    rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT,
                            &db->slots[i].st, NULL);
    if (rc != SQLITE_OK) {
        db->failure = status_of(db, rc);
        return NULL;
    }
    db->slots[i].sql = sql;
    return db->slots[i].st;
}

apr_status_t bl_db_failure(const bl_db_t *db)
{
    return db->failure;
}

void bl_db_text_n(sqlite3_stmt *st, int at, const char *s, size_t len)
{
    sqlite3_bind_text64(st, at, s, len, SQLITE_STATIC, SQLITE_UTF8);
}

void bl_db_text(sqlite3_stmt *st, int at, const char *s)
{
    if (s) bl_db_text_n(st, at, s, strlen(s));
}

void bl_db_blob(sqlite3_stmt *st, int at, const void *data, size_t len)
{
    sqlite3_bind_blob64(st, at, data, len, SQLITE_STATIC);
}

void bl_db_int(sqlite3_stmt *st, int at, apr_int64_t n)
{
    sqlite3_bind_int64(st, at, n);
}

void bl_db_int_or_null(sqlite3_stmt *st, int at, apr_int64_t n)
{
    if (n >= 0) sqlite3_bind_int64(st, at, n);
}

apr_status_t bl_db_step(bl_db_t *db, sqlite3_stmt *st)
{
    if (!st) return db->failure;
    return status_of(db, sqlite3_step(st));
}

void bl_db_done(sqlite3_stmt *st)
{
    if (!st) return;
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

apr_status_t bl_db_run(bl_db_t *db, sqlite3_stmt *st, int *pchanged)
{
    apr_status_t rv;

    if (pchanged) *pchanged = 0;
    do {
        rv = bl_db_step(db, st);
    } while (rv == APR_SUCCESS);
    bl_db_done(st);
    if (rv != APR_EOF) return rv;
    if (pchanged) *pchanged = sqlite3_changes(db->h);
    return APR_SUCCESS;
}

apr_status_t bl_db_exec(bl_db_t *db, const char *sql)
{
    if (!db->h) return BL_E_STORE_UNAVAILABLE;
    return status_of(db, sqlite3_exec(db->h, sql, NULL, NULL, NULL));
}

apr_status_t bl_db_number(bl_db_t *db, const char *sql, apr_int64_t fallback,
                          apr_int64_t *pn)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv = bl_db_step(db, st);

    *pn = rv == APR_SUCCESS ? sqlite3_column_int64(st, 0) : fallback;
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

void bl_db_copy(sqlite3_stmt *st, int column, char *dst, size_t size)
{
    const char *s = (const char *)sqlite3_column_text(st, column);
    size_t n = s ? (size_t)sqlite3_column_bytes(st, column) : 0;

    if (n >= size) {
        n = size - 1;
        while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
            n--;
    }
    if (n) memcpy(dst, s, n);
    dst[n] = '\0';
}

char *bl_db_dup(sqlite3_stmt *st, int column, apr_status_t *prv)
{
    const char *s = (const char *)sqlite3_column_text(st, column);
    char *copy = s ? strdup(s) : NULL;

    if (s && !copy) *prv = APR_ENOMEM;
    return copy;
}

/* --- transactions and checkpoints --------------------------------------- */

static apr_status_t set_sync(bl_db_t *db, int is_full)
{
    apr_status_t rv = APR_SUCCESS;

    if (db->is_full_sync == is_full) return rv;
    rv = bl_db_exec(db, is_full ? "PRAGMA synchronous=FULL"
                                : "PRAGMA synchronous=NORMAL");
    if (rv == APR_SUCCESS) db->is_full_sync = is_full;
    return rv;
}

static apr_status_t check_schema(bl_db_t *db)
{
    apr_int64_t version = 0;
    apr_status_t rv = APR_SUCCESS;

    if (db->schema) {
        rv = bl_db_number(db, "PRAGMA user_version", 0, &version);
    }
    if (rv == APR_SUCCESS && version > db->schema && db->schema) {
        bl_log(BL_LOG_ERR, 0,
               BL_LOGNO(1404) "the database has schema %d, made by a newer "
                              "version; this one knows %d and writes no more",
               (int)version, db->schema);
        note_trouble(db, SQLITE_SCHEMA);
        rv = BL_E_STORE_UNAVAILABLE;
    }
    return rv;
}

apr_status_t bl_db_begin(bl_db_t *db, int is_durable)
{
    apr_status_t rv;

    if (!db->h || !db->lock) return BL_E_STORE_UNAVAILABLE;
    rv = set_sync(db, is_durable);
    if (rv == APR_SUCCESS) {
        rv = bl_lock_take(db->lock, db->wait_ms, db->is_over, db->is_over_ctx);
        if (rv != APR_SUCCESS) note_trouble(db, SQLITE_BUSY);
    }
    if (rv != APR_SUCCESS) return rv;
    rv = bl_db_run(db, bl_db_stmt(db, "BEGIN IMMEDIATE"), NULL);
    if (rv == APR_SUCCESS) {
        rv = check_schema(db);
        if (rv != APR_SUCCESS) bl_db_abandon(db);
    }
    if (rv != APR_SUCCESS) bl_lock_release(db->lock);
    return rv;
}

apr_status_t bl_db_commit(bl_db_t *db)
{
    apr_status_t rv = bl_db_run(db, bl_db_stmt(db, "COMMIT"), NULL);

    if (rv != APR_SUCCESS) {
        bl_db_rollback(db);
        return rv;
    }
    if (db->committed && db->is_full_sync) {
        db->committed(db->committed_ctx, db);
    }
    bl_lock_release(db->lock);
    return APR_SUCCESS;
}

void bl_db_set_committed(bl_db_t *db, void (*fn)(void *ctx, bl_db_t *db),
                         void *ctx)
{
    db->committed = fn;
    db->committed_ctx = ctx;
}

/* SQLite rolls back by itself after some errors: then there is nothing left
 * to do. */
void bl_db_abandon(bl_db_t *db)
{
    if (db->h && !sqlite3_get_autocommit(db->h)) {
        bl_db_run(db, bl_db_stmt(db, sql_rollback), NULL);
    }
}

void bl_db_rollback(bl_db_t *db)
{
    bl_db_abandon(db);
    bl_lock_release(db->lock);
}

apr_uint64_t bl_db_wal_bytes(const bl_db_t *db)
{
    char name[4096 + 8];
    struct stat st;

    snprintf(name, sizeof(name), "%s-wal", db->path);
    return stat(name, &st) == 0 ? (apr_uint64_t)st.st_size : 0;
}

/* Passive first: it waits for nobody. What readers kept it from moving is
 * tried again after the next commits; a log that grew large is emptied by a
 * truncating one, which waits a moment for the readers to step aside. */
void bl_db_checkpoint(bl_db_t *db, int is_idle)
{
    bl_ms_t wait_ms = db->wait_ms;
    int in_log = 0, moved = 0;

    if (!db->h || !db->lock || db->frames == 0) return;
    if (db->frames < db->frames_seen) db->frames_seen = 0; /* log restarted */
    if (db->frames - db->frames_seen < (is_idle ? 1 : CHECKPOINT_FRAMES) &&
        !(is_idle && bl_db_wal_bytes(db) > TRUNCATE_BYTES))
    {
        return;
    }
    if (bl_lock_take(db->lock, wait_ms, db->is_over, db->is_over_ctx) !=
        APR_SUCCESS)
    {
        return;
    }
    db->wait_ms = TRUNCATE_WAIT_MS;
    sqlite3_wal_checkpoint_v2(db->h, "main", SQLITE_CHECKPOINT_PASSIVE, &in_log,
                              &moved);
    db->frames_seen = moved;
    if (bl_db_wal_bytes(db) > TRUNCATE_BYTES) {
        sqlite3_wal_checkpoint_v2(db->h, "main", SQLITE_CHECKPOINT_TRUNCATE,
                                  &in_log, &moved);
    }
    db->wait_ms = wait_ms;
    bl_lock_release(db->lock);
}

/* SQLite itself syncs the log at durable commits and at checkpoints only. */
void bl_db_sync(bl_db_t *db)
{
    sqlite3_file *log = NULL;

    if (!db->h || !db->is_unsynced) return;
    sqlite3_file_control(db->h, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods &&
        log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK)
    {
        db->is_unsynced = 0;
    }
}

int bl_db_empty_log(bl_db_t *db)
{
    bl_ms_t wait_ms = db->wait_ms;
    int in_log = 0, moved = 0, rc;

    if (!db->h || !db->lock) return 0;
    if (bl_lock_take(db->lock, wait_ms, db->is_over, db->is_over_ctx) !=
        APR_SUCCESS)
    {
        return 0;
    }
    db->wait_ms = TRUNCATE_WAIT_MS;
    rc = sqlite3_wal_checkpoint_v2(db->h, "main", SQLITE_CHECKPOINT_TRUNCATE,
                                   &in_log, &moved);
    db->wait_ms = wait_ms;
    bl_lock_release(db->lock);
    return rc == SQLITE_OK;
}

int bl_db_is_guarded(bl_db_t *db)
{
    apr_int64_t pages = -1;
    int is_off = 0;

    if (!db->h || !db->lock) return 0;
    sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &is_off);
    return is_off &&
           bl_db_number(db, "PRAGMA wal_autocheckpoint", -1, &pages) ==
               APR_SUCCESS &&
           pages == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "fault_vfs.h"
#include "power.h"

#include <sqlite3.h>
#include <string.h>

typedef struct fault_file_t {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    const char *name;
} fault_file_t;

static sqlite3_vfs *real_vfs, fault_vfs;
static int armed_kind, skip_left, count_left, fail_code, hits,
    opens;                               /* atomic */
static void (*checkpoint_fn)(void *ctx); /* once; of the thread that set it */
static void *checkpoint_ctx;

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((fault_file_t *)f)->real;
}

static int fails(fault_kind_t kind)
{
    if (__atomic_load_n(&armed_kind, __ATOMIC_ACQUIRE) != (int)kind) return 0;
    if (__atomic_sub_fetch(&skip_left, 1, __ATOMIC_RELAXED) >= 0) return 0;
    if (__atomic_sub_fetch(&count_left, 1, __ATOMIC_RELAXED) < 0) return 0;
    __atomic_add_fetch(&hits, 1, __ATOMIC_RELAXED);
    return __atomic_load_n(&fail_code, __ATOMIC_RELAXED);
}

void fault_arm(fault_kind_t kind, int skip, int count, int code)
{
    __atomic_store_n(&armed_kind, FAULT_NONE, __ATOMIC_RELEASE);
    __atomic_store_n(&skip_left, skip, __ATOMIC_RELAXED);
    __atomic_store_n(&count_left, count, __ATOMIC_RELAXED);
    __atomic_store_n(&fail_code, code, __ATOMIC_RELAXED);
    __atomic_store_n(&hits, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&opens, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&armed_kind, kind, __ATOMIC_RELEASE);
}

void fault_disarm(void)
{
    __atomic_store_n(&armed_kind, FAULT_NONE, __ATOMIC_RELEASE);
}

int fault_hits(void)
{
    return __atomic_load_n(&hits, __ATOMIC_RELAXED);
}

int fault_opens(void)
{
    return __atomic_load_n(&opens, __ATOMIC_RELAXED);
}

static int f_close(sqlite3_file *f)
{
    return real_of(f)->pMethods->xClose(real_of(f));
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    int code = fails(FAULT_READ);

    return code ? code : real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int code = fails(FAULT_WRITE);

    if (!code) power_write(((fault_file_t *)f)->name, p, (size_t)n, at);
    return code ? code : real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    int code = fails(FAULT_WRITE);

    if (!code) power_truncate(((fault_file_t *)f)->name, n);
    return code ? code : real_of(f)->pMethods->xTruncate(real_of(f), n);
}

static int f_sync(sqlite3_file *f, int flags)
{
    int code = fails(FAULT_SYNC);

    if (!code) power_sync(((fault_file_t *)f)->name);
    return code ? code : real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), n);
}

static int f_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int f_check(sqlite3_file *f, int *is_reserved)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), is_reserved);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int f_device(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend,
                     void volatile **pp)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, pp);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int f_shm_unmap(sqlite3_file *f, int is_delete)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), is_delete);
}

static int f_fetch(sqlite3_file *f, sqlite3_int64 at, int n, void **pp)
{
    (void)f;
    (void)at;
    (void)n;
    *pp = NULL; /* nothing is mapped: it is read */
    return SQLITE_OK;
}

/* Without a page: that another process changed the file. */
static int f_unfetch(sqlite3_file *f, sqlite3_int64 at, void *page)
{
    void (*fn)(void *ctx) = page ? NULL : checkpoint_fn;

    (void)f;
    (void)at;
    if (!fn) return SQLITE_OK;
    checkpoint_fn = NULL;
    fn(checkpoint_ctx);
    return SQLITE_OK;
}

void fault_in_checkpoint(void (*fn)(void *ctx), void *ctx)
{
    checkpoint_fn = fn;
    checkpoint_ctx = ctx;
}

static const sqlite3_io_methods methods = {
    3,         f_close,   f_read,     f_write,       f_truncate,  f_sync,
    f_size,    f_lock,    f_unlock,   f_check,       f_control,   f_sector,
    f_device,  f_shm_map, f_shm_lock, f_shm_barrier, f_shm_unmap, f_fetch,
    f_unfetch,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
                    int flags, int *out_flags)
{
    fault_file_t *file = (fault_file_t *)f;
    int rc;

    (void)vfs;
    if (flags & SQLITE_OPEN_MAIN_DB) {
        __atomic_add_fetch(&opens, 1, __ATOMIC_RELAXED);
    }
    file->real = (sqlite3_file *)(file + 1);
    file->name = name;
    memset(file->real, 0, (size_t)real_vfs->szOsFile);
    rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
    file->base.pMethods = file->real->pMethods ? &methods : NULL;
    return rc;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    (void)vfs;
    power_delete(name, sync_dir);
    return real_vfs->xDelete(real_vfs, name, sync_dir);
}

void fault_install(void)
{
    if (real_vfs) return;
    real_vfs = sqlite3_vfs_find(NULL);
    fault_vfs = *real_vfs;
    fault_vfs.zName = "fault";
    fault_vfs.szOsFile = real_vfs->szOsFile + (int)sizeof(fault_file_t);
    fault_vfs.xOpen = vfs_open;
    fault_vfs.xDelete = vfs_delete;
    sqlite3_vfs_register(&fault_vfs, 1);
}

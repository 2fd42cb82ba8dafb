/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lock.h"

#include "base/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_FIRST_NS 50000
#define PAUSE_MOST_NS 2000000

struct bl_lock_t {
    int fd;
    char *path;
};

apr_status_t bl_lock_open(bl_lock_t **pl, const char *db_path)
{
    size_t size = strlen(db_path) + sizeof(".lock");
    bl_lock_t *l = calloc(1, sizeof(*l));
    struct stat st;

    *pl = NULL;
    if (!l) return APR_ENOMEM;
    l->fd = -1;
    l->path = malloc(size);
    if (!l->path) goto failed;
    snprintf(l->path, size, "%s.lock", db_path);
    l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->fd < 0 || fstat(l->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        goto failed;
    }
    *pl = l;
    return APR_SUCCESS;
failed:
    bl_lock_close(l);
    return BL_E_STORE_UNAVAILABLE;
}

void bl_lock_close(bl_lock_t *l)
{
    if (!l) return;
    if (l->fd >= 0) close(l->fd);
    free(l->path);
    free(l);
}

static int set_byte(const bl_lock_t *l, short type, off_t at)
{
    struct flock fl;

    memset(&fl, 0, sizeof(fl));
    fl.l_type = type;
    fl.l_whence = SEEK_SET;
    fl.l_start = at;
    fl.l_len = 1;
    return fcntl(l->fd, F_OFD_SETLK, &fl) == 0 ? 0 : errno;
}

/* Real time, also where a test has stopped the clock: another process does
 * not stop with it. */
static apr_int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (apr_int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int was_deleted(const bl_lock_t *l)
{
    struct stat st;

    return fstat(l->fd, &st) != 0 || st.st_nlink == 0;
}

/* Asks again and again in place of F_OFD_SETLKW, which has no time-out. The
 * pause is chosen at random in a growing range so that two processes do not
 * meet in step. */
apr_status_t bl_lock_take(bl_lock_t *l, bl_ms_t wait_ms,
                          int (*is_over)(void *ctx), void *ctx)
{
    apr_int64_t start = now_ns(), most = PAUSE_FIRST_NS;
    int code;

    while ((code = set_byte(l, F_WRLCK, 0)) == EAGAIN || code == EACCES ||
           code == EINTR)
    {
        apr_int64_t now = now_ns();
        struct timespec pause = {0, 0};

        if (now - start >= wait_ms * 1000000 || (is_over && is_over(ctx))) {
            return BL_E_STORE_UNAVAILABLE;
        }
        pause.tv_nsec = (long)(PAUSE_FIRST_NS / 2 + now % most);
        nanosleep(&pause, NULL);
        if (most < PAUSE_MOST_NS) most *= 2;
    }
    if (code == 0 && was_deleted(l)) {
        bl_lock_release(l);
        return BL_E_STORE_UNAVAILABLE;
    }
    return code ? BL_E_STORE_UNAVAILABLE : APR_SUCCESS;
}

void bl_lock_release(bl_lock_t *l)
{
    set_byte(l, F_UNLCK, 0);
}

apr_status_t bl_lock_take_child(bl_lock_t *l, apr_int64_t child_id)
{
    int code = set_byte(l, F_WRLCK, 1 + (off_t)child_id);

    if (code == EAGAIN || code == EACCES) return APR_EBUSY;
    return code ? BL_E_STORE_UNAVAILABLE : APR_SUCCESS;
}

void bl_lock_release_child(bl_lock_t *l, apr_int64_t child_id)
{
    set_byte(l, F_UNLCK, 1 + (off_t)child_id);
}

/* The kernel tells one lock in a range, not the lowest: look on both sides of
 * it. As deep as there are children at most. */
void bl_lock_each_child(const bl_lock_t *l, apr_int64_t low, apr_int64_t high,
                        void (*fn)(void *ctx, apr_int64_t child_id), void *ctx)
{
    struct flock fl;
    apr_int64_t found;

    if (low > high) return;
    memset(&fl, 0, sizeof(fl));
    fl.l_type = F_WRLCK;
    fl.l_whence = SEEK_SET;
    fl.l_start = 1 + (off_t)low;
    fl.l_len = (off_t)(high - low) + 1;
    if (fcntl(l->fd, F_OFD_GETLK, &fl) != 0 || fl.l_type == F_UNLCK) return;
    found = (apr_int64_t)fl.l_start - 1;
    if (found < low || found > high) return;
    fn(ctx, found);
    bl_lock_each_child(l, low, found - 1, fn, ctx);
    bl_lock_each_child(l, found + 1, high, fn, ctx);
}

apr_uint64_t bl_lock_mark(const bl_lock_t *l)
{
    apr_uint64_t mark = 0;
    ssize_t n = pread(l->fd, &mark, sizeof(mark), 0);

    return n == (ssize_t)sizeof(mark) ? mark : 0;
}

void bl_lock_move_mark(const bl_lock_t *l)
{
    apr_uint64_t mark = bl_lock_mark(l) + 1;
    ssize_t n = pwrite(l->fd, &mark, sizeof(mark), 0);

    (void)n;
}

int bl_lock_is_in_place(const bl_lock_t *l)
{
    struct stat mine, there;

    return fstat(l->fd, &mine) == 0 && lstat(l->path, &there) == 0 &&
           mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

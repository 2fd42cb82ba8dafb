/* SPDX-License-Identifier: Apache-2.0 */
#include "power.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES 8
#define SECTOR 512

typedef struct image_t {
    char *data;
    size_t len;
} image_t;

typedef struct change_t {
    struct change_t *next;
    char *data; /* NULL: a truncation to `at` */
    size_t len;
    size_t at;
} change_t;

typedef struct file_t {
    char name[256];
    int is_durable; /* was synced once: its name is in the directory */
    int is_deleted; /* ... but the directory was not synced since */
    image_t synced;
    change_t *first, **last; /* since then */
} file_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static file_t files[FILES];
static int file_count, is_on;
static char to_dir[256];
static int calls_left, is_armed, is_cut, watched_then;
static unsigned dice;
static const int *watched;

static unsigned roll(unsigned most)
{
    dice = dice * 1103515245u + 12345u;
    return (dice >> 8) % most;
}

static void grow(image_t *image, size_t len)
{
    if (len <= image->len) return;
    image->data = realloc(image->data, len);
    if (!image->data) abort();
    memset(image->data + image->len, 0, len - image->len);
    image->len = len;
}

static void apply(image_t *image, const change_t *c, size_t len)
{
    if (!c->data) {
        if (c->at < image->len) image->len = c->at;
        return;
    }
    grow(image, c->at + len);
    memcpy(image->data + c->at, c->data, len);
}

static void forget_changes(file_t *f)
{
    while (f->first) {
        change_t *c = f->first;

        f->first = c->next;
        free(c->data);
        free(c);
    }
    f->last = &f->first;
}

/* Its place stays taken: it may be made again. */
static void forget_file(file_t *f)
{
    forget_changes(f);
    free(f->synced.data);
    memset(&f->synced, 0, sizeof(f->synced));
    f->is_durable = f->is_deleted = 0;
}

static file_t *find(const char *name)
{
    int i;

    if (!is_on || !name) return NULL;
    if (*to_dir && !strncmp(name, to_dir, strlen(to_dir))) return NULL;
    for (i = 0; i < file_count; i++) {
        if (!strcmp(files[i].name, name)) return &files[i];
    }
    if (file_count == FILES) abort();
    memset(&files[i], 0, sizeof(files[i]));
    snprintf(files[i].name, sizeof(files[i].name), "%s", name);
    files[i].last = &files[i].first;
    file_count++;
    return &files[i];
}

/* --- the cut ------------------------------------------------------------ */

static void write_image(const char *name, const image_t *image)
{
    const char *base = strrchr(name, '/');
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s%s", to_dir, base ? base : name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, image->data, image->len) != (ssize_t)image->len) {
        abort();
    }
    close(fd);
}

/* Of each change since the sync: all, nothing, or its first sectors. */
static void add_some(image_t *image, const file_t *f)
{
    const change_t *c;

    for (c = f->first; c; c = c->next) {
        unsigned what = roll(4);

        if (what < 2) continue;
        apply(image, c,
              what == 2 ? c->len
                        : roll((unsigned)c->len / SECTOR + 1) * SECTOR);
    }
}

static size_t cut(unsigned seed)
{
    size_t unsynced = 0;
    int i;

    dice = seed;
    for (i = 0; i < file_count; i++) {
        const file_t *f = &files[i];
        image_t image = {NULL, 0};
        const change_t *c;

        for (c = f->first; c; c = c->next)
            unsynced += c->len;
        if (!f->is_durable && (!seed || roll(2))) continue;
        if (f->is_deleted && seed && roll(2)) continue;
        grow(&image, f->synced.len);
        if (f->synced.len) memcpy(image.data, f->synced.data, f->synced.len);
        if (seed) add_some(&image, f);
        write_image(f->name, &image);
        free(image.data);
    }
    return unsynced;
}

/* Under the lock, before the call has its effect. */
static void count_call(void)
{
    if (!is_armed || is_cut || --calls_left > 0) return;
    watched_then = __atomic_load_n(watched, __ATOMIC_ACQUIRE);
    cut(dice);
    is_cut = 1;
}

void power_arm(const char *to, int calls, unsigned seed, const int *number)
{
    pthread_mutex_lock(&lock);
    snprintf(to_dir, sizeof(to_dir), "%s", to);
    calls_left = calls;
    dice = seed;
    watched = number;
    is_cut = 0;
    is_armed = 1;
    pthread_mutex_unlock(&lock);
}

int power_is_cut(int *pwatched)
{
    int answer;

    pthread_mutex_lock(&lock);
    answer = is_cut;
    *pwatched = watched_then;
    if (answer) is_armed = 0;
    pthread_mutex_unlock(&lock);
    return answer;
}

size_t power_cut(const char *to, unsigned seed)
{
    size_t unsynced;

    pthread_mutex_lock(&lock);
    snprintf(to_dir, sizeof(to_dir), "%s", to);
    unsynced = cut(seed);
    pthread_mutex_unlock(&lock);
    return unsynced;
}

/* --- told by the VFS ---------------------------------------------------- */

static void add_change(const char *name, const void *data, size_t len,
                       size_t at)
{
    change_t *c;
    file_t *f;

    pthread_mutex_lock(&lock);
    f = find(name);
    if (f) {
        count_call();
        if (f->is_deleted) forget_file(f); /* made again */
        c = calloc(1, sizeof(*c));
        if (!c) abort();
        c->at = at;
        c->len = len;
        if (data) {
            c->data = malloc(len);
            if (!c->data) abort();
            memcpy(c->data, data, len);
        }
        *f->last = c;
        f->last = &c->next;
    }
    pthread_mutex_unlock(&lock);
}

void power_write(const char *name, const void *data, size_t len, int64_t at)
{
    add_change(name, data, len, (size_t)at);
}

void power_truncate(const char *name, int64_t len)
{
    add_change(name, NULL, 0, (size_t)len);
}

static void forget_deleted(void)
{
    int i;

    for (i = 0; i < file_count; i++) {
        if (files[i].is_deleted) forget_file(&files[i]);
    }
}

void power_delete(const char *name, int is_synced)
{
    file_t *f;

    pthread_mutex_lock(&lock);
    f = find(name);
    if (f) {
        count_call();
        f->is_deleted = 1;
        if (is_synced || !f->is_durable) forget_file(f);
    }
    pthread_mutex_unlock(&lock);
}

/* SQLite syncs the directory with the first sync of a file that it made. */
void power_sync(const char *name)
{
    const change_t *c;
    file_t *f;

    pthread_mutex_lock(&lock);
    f = find(name);
    if (f) {
        count_call();
        for (c = f->first; c; c = c->next)
            apply(&f->synced, c, c->len);
        forget_changes(f);
        if (!f->is_durable) forget_deleted();
        f->is_durable = 1;
    }
    pthread_mutex_unlock(&lock);
}

static void forget_all(void)
{
    while (file_count)
        forget_file(&files[--file_count]);
    is_armed = is_cut = 0;
    to_dir[0] = '\0';
}

void power_begin(void)
{
    pthread_mutex_lock(&lock);
    forget_all();
    is_on = 1;
    pthread_mutex_unlock(&lock);
}

void power_end(void)
{
    pthread_mutex_lock(&lock);
    forget_all();
    is_on = 0;
    pthread_mutex_unlock(&lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nomem - preloaded into httpd by the tests: allocations that fail (R02). Only
 * those fail that the module asks for, by itself or through its libraries
 * (curl, jansson, SQLite, OpenSSL, wslay, libjwt): who asks is the first
 * caller that is httpd, APR, or a module of httpd. Those of httpd and of APR's
 * pools never fail: httpd ends the child there, by its own rule.
 *
 * The words lie in the file BL_NOMEM, which all children share; env/nomem.py
 * writes them. The parent, who is root, is left alone.
 */
#define _GNU_SOURCE
#include "nomem_calls.h"
#include "words.h"

#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

#define FRAMES 48
#define OBJECTS 256
#define WORDS_SIZE 8192

/* The order is that of env/nomem.py. */
typedef struct words_t {
    long left;   /* the so manieth from now on fails, once; 0: none */
    long seen;   /* how many there were while left or rate was set */
    long failed; /* ... of them failed */
    long rate;   /* of a million that many fail, by chance */
    long seed;   /* the chance; moves on with each */
    long leaks;  /* looks for leaks, once; 2: there were some, 3: none */
    char who[WORDS_SIZE / 2]; /* the callers of the last that failed */
} words_t;

static words_t none, *words = &none;

static void __attribute__((constructor)) open_words(void)
{
    void *frame;

    backtrace(&frame, 1); /* loads its library now */
    words = map_words("BL_NOMEM", WORDS_SIZE, &none);
}

/* --- who asks ------------------------------------------------------------- */

typedef enum owner_t {
    OF_LIBRARY,
    OF_SHIM, /* this one, and a sanitizer */
    OF_CURL,
    OF_LINKER,
    OF_HOST,
    OF_MODULE
} owner_t;

typedef struct object_t {
    uintptr_t from, to; /* its code */
    owner_t owner;
} object_t;

/* Made once in a child, which loads no module any more. What a library loads
 * later is a library. */
static object_t objects[OBJECTS];
static int n_objects;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static owner_t owner_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    if (!*name) return OF_HOST; /* the program */
    if (!strncmp(name, "nomem.", 6) || !strncmp(name, "libasan", 7)) {
        return OF_SHIM;
    }
    if (!strncmp(name, "ld-", 3)) return OF_LINKER;
    if (strstr(name, "mod_bailian_sse")) return OF_MODULE;
    if (!strncmp(name, "mod_", 4) || !strncmp(name, "libapr", 6))
        return OF_HOST;
    return strncmp(name, "libcurl", 7) ? OF_LIBRARY : OF_CURL;
}

static int note_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
    owner_t owner = owner_of(info->dlpi_name);
    int i;

    (void)size;
    (void)ctx;
    for (i = 0; i < info->dlpi_phnum && n_objects < OBJECTS; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        object_t *o = &objects[n_objects];

        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        if (owner == OF_LIBRARY) continue;
        o->from = info->dlpi_addr + part->p_vaddr;
        o->to = o->from + part->p_memsz;
        o->owner = owner;
        n_objects++;
    }
    return 0;
}

static void note_objects(void)
{
    dl_iterate_phdr(note_object, NULL);
}

static owner_t owner_at(const void *frame)
{
    uintptr_t at = (uintptr_t)frame;
    int i;

    for (i = 0; i < n_objects; i++)
        if (at >= objects[i].from && at < objects[i].to)
            return objects[i].owner;
    return OF_LIBRARY;
}

/* The dynamic linker ends the process when it has no memory for what a thread
 * has of its own; a thread that only libraries run is curl's. */
static int is_of_module(void *const *frames, int n)
{
    int i;

    if (!n) return 0;
    if (is_in_loop && owner_at(frames[0]) == OF_CURL) return 0;
    for (i = 0; i < n; i++) {
        owner_t owner = owner_at(frames[i]);

        if (owner > OF_CURL) return owner == OF_MODULE;
    }
    return 1;
}

static void write_callers(void *const *frames, int n)
{
    size_t used = 0;
    int i;

    for (i = 0; i < n && used < sizeof(words->who) - 300; i++) {
        Dl_info at;
        const char *slash;

        memset(&at, 0, sizeof(at));
        if (!dladdr(frames[i], &at) || !at.dli_fname) continue;
        slash = strrchr(at.dli_fname, '/');
        used += (size_t)snprintf(
            words->who + used, 300, "%.80s+%#lx %.150s\n",
            slash ? slash + 1 : at.dli_fname,
            (unsigned long)((char *)frames[i] - (char *)at.dli_fbase),
            at.dli_sname ? at.dli_sname : "");
    }
}

/* --- which fails ---------------------------------------------------------- */

static int is_chosen(void)
{
    unsigned long x;

    __atomic_add_fetch(&words->seen, 1, __ATOMIC_SEQ_CST);
    if (words->rate) {
        x = (unsigned long)__atomic_add_fetch(&words->seed, 0x9e3779b97f4a7c15L,
                                              __ATOMIC_SEQ_CST);
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9UL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebUL;
        return (long)((x ^ (x >> 31)) % 1000000) < words->rate;
    }
    return !__atomic_sub_fetch(&words->left, 1, __ATOMIC_SEQ_CST);
}

static int must_fail(void)
{
    void *frames[FRAMES];
    int n, first = 0, fails;

    if ((words->left <= 0 && !words->rate) || is_off || !geteuid()) return 0;
    is_off++;
    pthread_once(&once, note_objects);
    n = backtrace(frames, FRAMES);
    while (first < n && owner_at(frames[first]) == OF_SHIM)
        first++;
    fails = is_of_module(frames + first, n - first) && is_chosen();
    if (fails) {
        __atomic_add_fetch(&words->failed, 1, __ATOMIC_SEQ_CST);
        write_callers(frames + first, n - first);
    }
    is_off--;
    return fails;
}

/* --- the C library's ------------------------------------------------------ */

/* dlsym() may allocate before we know whom to ask. */
static char early[4096];
static size_t early_used;

static void *take_early(size_t n)
{
    void *found = early + early_used;

    early_used += (n + 15) & ~(size_t)15;
    if (early_used > sizeof(early)) abort();
    return found;
}

static int is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

static __typeof__(&malloc) next_malloc;
static __typeof__(&calloc) next_calloc;
static __typeof__(&realloc) next_realloc;
static __typeof__(&free) next_free;
static __typeof__(&strdup) next_strdup;
static __typeof__(&strndup) next_strndup;

static int has_next(void)
{
    static int is_asking;

    if (next_strndup) return 1;
    if (is_asking) return 0;
    is_asking = 1;
    next_free = NEXT(free);
    next_malloc = NEXT(malloc);
    next_calloc = NEXT(calloc);
    next_realloc = NEXT(realloc);
    next_strdup = NEXT(strdup);
    next_strndup = NEXT(strndup);
    is_asking = 0;
    return 1;
}

static void look_for_leaks(void);

void *malloc(size_t n)
{
    if (!has_next()) return take_early(n);
    if (words->leaks == 1) look_for_leaks();
    return must_fail() ? NULL : next_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    if (!has_next()) return take_early(n * size);
    return must_fail() ? NULL : next_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    has_next();
    return must_fail() ? NULL : next_realloc(p, n);
}

void free(void *p)
{
    if (is_early(p)) return;
    has_next();
    next_free(p);
}

char *strdup(const char *s)
{
    char *copy;

    has_next();
    if (must_fail()) return NULL;
    is_off++;
    copy = next_strdup(s);
    is_off--;
    return copy;
}

char *strndup(const char *s, size_t n)
{
    char *copy;

    has_next();
    if (must_fail()) return NULL;
    is_off++;
    copy = next_strndup(s, n);
    is_off--;
    return copy;
}

/* --- leaks, where the address sanitizer is there ---------------------------
 */

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void look_for_leaks(void)
{
    long wanted = 1;

    if (is_off || !geteuid() || !__lsan_do_recoverable_leak_check ||
        !__atomic_compare_exchange_n(&words->leaks, &wanted, 4, 0,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    {
        return;
    }
    is_off++;
    prctl(PR_SET_DUMPABLE, 1); /* it traces its own process */
    words->leaks = __lsan_do_recoverable_leak_check() ? 2 : 3;
    is_off--;
}

/* --- what a library does not outlive -------------------------------------- */

json_t *json_loads(const char *text, size_t flags, json_error_t *error)
{
    static __typeof__(&json_loads) next;

    if (!next) next = NEXT(json_loads);
    return call_json_loads(next, text, flags, error);
}

json_t *json_loadb(const char *data, size_t len, size_t flags,
                   json_error_t *error)
{
    static __typeof__(&json_loadb) next;

    if (!next) next = NEXT(json_loadb);
    return call_json_loadb(next, data, len, flags, error);
}

CURLMcode curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int bits,
                                   int *running)
{
    static __typeof__(&curl_multi_socket_action) next;

    if (!next) next = NEXT(curl_multi_socket_action);
    return call_socket_action(next, multi, fd, bits, running);
}

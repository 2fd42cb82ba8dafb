/* SPDX-License-Identifier: Apache-2.0 */
#include "nomem.h"
#include "../httpd/shim/nomem_calls.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static pthread_t main_thread;
static int is_armed; /* atomic */
static long left;    /* atomic: allocations until the one that fails */
static long failed;  /* atomic */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);

/* The core's threads are called bl-..., the test's own are not. */
static int is_of_core(void)
{
    char name[16] = "";

    if (pthread_equal(pthread_self(), main_thread)) return 1;
    prctl(PR_GET_NAME, name);
    return !strncmp(name, "bl-", 3);
}

static int must_fail(void)
{
    if (!__atomic_load_n(&is_armed, __ATOMIC_ACQUIRE) || is_off ||
        !is_of_core() || __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST))
    {
        return 0;
    }
    __atomic_add_fetch(&failed, 1, __ATOMIC_SEQ_CST);
    return 1;
}

/* --- ours, by the linker ------------------------------------------------ */

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

void *__wrap_malloc(size_t n)
{
    return must_fail() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return must_fail() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
    return must_fail() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return must_fail() ? NULL : __real_strndup(s, n);
}

/* --- the libraries', by their hooks ------------------------------------- */

static sqlite3_mem_methods sqlite_real, sqlite_ours;

static void *sqlite_malloc(int n)
{
    return must_fail() ? NULL : sqlite_real.xMalloc(n);
}

static void *sqlite_realloc(void *p, int n)
{
    return must_fail() ? NULL : sqlite_real.xRealloc(p, n);
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return must_fail() ? NULL : __real_malloc(n);
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return must_fail() ? NULL : __real_realloc(p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

CURLMcode __real_curl_multi_socket_action(CURLM *multi, curl_socket_t fd,
                                          int bits, int *running);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd,
                                          int bits, int *running);

CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd,
                                          int bits, int *running)
{
    return call_socket_action(__real_curl_multi_socket_action, multi, fd, bits,
                              running);
}

static int must_fail_curl(void)
{
    return !is_in_loop && must_fail();
}

static void *curl_malloc(size_t n)
{
    return must_fail_curl() ? NULL : __real_malloc(n);
}

static void *curl_calloc(size_t n, size_t size)
{
    return must_fail_curl() ? NULL : __real_calloc(n, size);
}

static void *curl_realloc(void *p, size_t n)
{
    return must_fail_curl() ? NULL : __real_realloc(p, n);
}

static char *curl_strdup(const char *s)
{
    return must_fail_curl() ? NULL : __real_strdup(s);
}

/* --- jansson's parser, as a whole ---------------------------------------- */

json_t *__real_json_loads(const char *text, size_t flags, json_error_t *error);
json_t *__wrap_json_loads(const char *text, size_t flags, json_error_t *error);
json_t *__real_json_loadb(const char *data, size_t len, size_t flags,
                          json_error_t *error);
json_t *__wrap_json_loadb(const char *data, size_t len, size_t flags,
                          json_error_t *error);

json_t *__wrap_json_loads(const char *text, size_t flags, json_error_t *error)
{
    return call_json_loads(__real_json_loads, text, flags, error);
}

json_t *__wrap_json_loadb(const char *data, size_t len, size_t flags,
                          json_error_t *error)
{
    return call_json_loadb(__real_json_loadb, data, len, flags, error);
}

void nomem_install(void)
{
    main_thread = pthread_self();
    CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free);
    OPENSSL_init_crypto(0, NULL);
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_real);
    sqlite_ours = sqlite_real;
    sqlite_ours.xMalloc = sqlite_malloc;
    sqlite_ours.xRealloc = sqlite_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &sqlite_ours);
    json_set_alloc_funcs(__wrap_malloc, free);
    curl_global_init_mem(CURL_GLOBAL_ALL, curl_malloc, free, curl_realloc,
                         curl_strdup, curl_calloc);
}

/* --- in turn ------------------------------------------------------------ */

long nomem_each(void (*what)(void *ctx), void *ctx, long step)
{
    long n, total = 0, now;

    is_off = 0; /* a test that failed left it */
    for (n = 1;; n += step) {
        __atomic_store_n(&failed, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&left, n, __ATOMIC_SEQ_CST);
        __atomic_store_n(&is_armed, 1, __ATOMIC_RELEASE);
        what(ctx);
        __atomic_store_n(&is_armed, 0, __ATOMIC_RELEASE);
        now = __atomic_load_n(&failed, __ATOMIC_SEQ_CST);
        if (!now) return total;
        total += now;
    }
}

void nomem_enough(void)
{
    __atomic_store_n(&is_armed, 0, __ATOMIC_RELEASE);
}

void nomem_off(void)
{
    is_off++;
}

void nomem_on(void)
{
    is_off--;
}

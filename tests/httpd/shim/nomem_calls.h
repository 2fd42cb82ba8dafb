/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nomem_calls - calls of libraries that do not outlive each allocation that
 * fails in them (R02); for who comes in between them and the module: by a
 * preloaded library (nomem.c), or by the linker (tests/unit/nomem.c).
 */
#ifndef BL_SHIM_NOMEM_CALLS_H
#define BL_SHIM_NOMEM_CALLS_H

#include <curl/curl.h>
#include <jansson.h>

static __thread int is_off;     /* nothing fails on this thread */
static __thread int is_in_loop; /* of curl */
static int must_fail(void);     /* is it the turn of this one? */

/* --- jansson 2.14 reads on behind a token that it had no memory to keep, so
 * what fails in turn is its call ------------------------------------------- */

static int must_fail_json(json_error_t *error)
{
    if (error) *error->text = '\0'; /* as jansson leaves it then */
    return must_fail();
}

static json_t *call_json_loads(__typeof__(&json_loads) next, const char *text,
                               size_t flags, json_error_t *error)
{
    json_t *json;

    if (must_fail_json(error)) return NULL;
    is_off++;
    json = next(text, flags, error);
    is_off--;
    return json;
}

static json_t *call_json_loadb(__typeof__(&json_loadb) next, const char *data,
                               size_t len, size_t flags, json_error_t *error)
{
    json_t *json;

    if (must_fail_json(error)) return NULL;
    is_off++;
    json = next(data, len, flags, error);
    is_off--;
    return json;
}

/* --- curl 7.88 does not outlive it when, in its loop, its note of a socket
 * cannot be kept: a hash without slots stays, and it divides by their number.
 * So its own fail in all it does but there; ours and OpenSSL's fail there, too
 */

static CURLMcode call_socket_action(__typeof__(&curl_multi_socket_action) next,
                                    CURLM *multi, curl_socket_t fd, int bits,
                                    int *running)
{
    CURLMcode rc;

    is_in_loop = 1;
    rc = next(multi, fd, bits, running);
    is_in_loop = 0;
    return rc;
}

#endif

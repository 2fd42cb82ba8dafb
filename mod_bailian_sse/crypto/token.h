/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token - random tokens and ids, digests, constant-time compare.
 *
 * THREADS  any.
 * ERRORS   when the random source fails nothing is made (R06):
 *          BL_E_OVERLOADED.
 */
#ifndef BL_TOKEN_H
#define BL_TOKEN_H

#include "base/bl.h"

#include <apr_time.h>

apr_status_t bl_random_bytes(void *out, size_t n);

/* n bytes, n > BL_ID_TIME_BYTES: those of the time, in sixteenths of a second,
 * the rest random. Ids that are made together lie together in an index of the
 * database; of wholly random ones each changes another page. */
#define BL_ID_TIME_BYTES 2
apr_status_t bl_id_bytes(void *out, size_t n, apr_time_t wall);

void bl_hex(char *dst, const void *src, size_t n);  /* 2n digits and a NUL */
int bl_unhex(void *dst, size_t n, const char *src); /* 0 when not 2n digits */
int bl_equal_secret(const void *a, const void *b, size_t n);

#define BL_SHA256_BYTES 32
typedef struct bl_sha256_t bl_sha256_t;
apr_status_t bl_sha256_create(bl_sha256_t **ph);
void bl_sha256_add(bl_sha256_t *h, const void *data, size_t n);
void bl_sha256_end(bl_sha256_t *h, unsigned char digest[BL_SHA256_BYTES]);
void bl_sha256_reset(bl_sha256_t *h);
void bl_sha256_destroy(bl_sha256_t *h);

#endif

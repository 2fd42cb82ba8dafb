/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asset - a file that was compiled in by build/embed-assets.sh.
 *
 * THREADS  read-only data: any.
 */
#ifndef BL_ASSET_H
#define BL_ASSET_H

#include <stddef.h>

typedef struct bl_asset_t {
    const char *name;          /* "001_base.sql", or as the build named it */
    const unsigned char *data; /* a NUL follows it that len does not count */
    size_t len;
    const char *sum; /* SHA-256 of the data: 64 hex digits */
} bl_asset_t;

#endif

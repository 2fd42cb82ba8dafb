/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codec - what the tests of the codecs share: cmocka, fixtures, short buffers.
 */
#ifndef BL_TEST_CODEC_H
#define BL_TEST_CODEC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/errors.h"

/* The bytes of FIXTURES/bailian/<name>, into a fresh buffer. */
static inline void codec_read_fixture(bl_buf_t *b, const char *name)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), FIXTURES "/bailian/%s", name);
    bl_buf_init(b, 1024 * 1024);
    f = fopen(path, "rb");
    assert_non_null(f);
    for (;;) {
        char *room = bl_buf_room(b, 4096);
        size_t n;

        assert_non_null(room);
        n = fread(room, 1, 4096, f);
        if (!n) break;
        bl_buf_added(b, n);
    }
    fclose(f);
    assert_true(b->len > 0);
}

#define assert_buf(b, text)                                                    \
    do {                                                                       \
        assert_int_equal(bl_buf_status(b), APR_SUCCESS);                       \
        assert_string_equal(bl_buf_str(b), text);                              \
    } while (0)

#endif

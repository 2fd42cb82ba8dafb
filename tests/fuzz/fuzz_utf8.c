/* SPDX-License-Identifier: Apache-2.0 */
/* The fast validator against RFC 3629 spelled out; cleaning gives valid text,
 * leaves valid text alone, and is the same in parts as in one piece. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"

static size_t slow_char_len(const uint8_t *s, size_t len)
{
    uint32_t code, least;
    size_t n, k;

    if (!len) return 0;
    if (s[0] < 0x80) return 1;
    if ((s[0] & 0xE0) == 0xC0)
        n = 2, code = s[0] & 0x1F, least = 0x80;
    else if ((s[0] & 0xF0) == 0xE0)
        n = 3, code = s[0] & 0x0F, least = 0x800;
    else if ((s[0] & 0xF8) == 0xF0)
        n = 4, code = s[0] & 7, least = 0x10000;
    else
        return 0;
    if (n > len) return 0;
    for (k = 1; k < n; k++) {
        if ((s[k] & 0xC0) != 0x80) return 0;
        code = code << 6 | (s[k] & 0x3Fu);
    }
    if (code < least || code > 0x10FFFF) return 0;
    return code >= 0xD800 && code <= 0xDFFF ? 0 : n;
}

static size_t slow_clean(char *dst, const uint8_t *s, size_t len,
                         unsigned *pbad)
{
    size_t n = 0, i = 0, k;

    while (i < len) {
        k = slow_char_len(s + i, len - i);
        if (k)
            memcpy(dst + n, s + i, k);
        else
            memcpy(dst + n, BL_UTF8_REPLACEMENT, 3);
        *pbad += !k;
        n += k ? k : 3;
        i += k ? k : 1;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    size_t len = size - 1, valid = 0, taken, n, done, most;
    unsigned bad = 0, slow_bad = 0, parts_bad = 0;
    char *expected;
    bl_buf_t out, parts;

    if (!size) return 0;
    most = 4 + data[0] % 64;
    while (valid < len) {
        n = slow_char_len(data + 1 + valid, len - valid);
        if (!n) break;
        valid += n;
    }
    CHECK(bl_utf8_valid_len(text, len) == valid);
    expected = malloc(3 * len + 1);
    CHECK(expected);
    n = slow_clean(expected, data + 1, len, &slow_bad);
    bl_buf_init(&out, 3 * len + 16);
    bl_buf_init(&parts, 3 * len + 128);
    CHECK(bl_utf8_copy(&out, text, len, 3 * len, &taken, &bad) == 0);
    CHECK(taken == len && bad == slow_bad && out.len == n);
    CHECK(!n || !memcmp(out.data, expected, n));
    CHECK(bl_utf8_is_valid(out.data, out.len));
    for (done = 0; done < len; done += taken) {
        size_t before = parts.len;

        CHECK(bl_utf8_copy(&parts, text + done, len - done, most, &taken,
                           &parts_bad) == 0);
        CHECK(taken > 0 && parts.len - before <= most);
        CHECK(bl_utf8_is_valid(parts.data + before, parts.len - before));
    }
    CHECK(parts.len == n && parts_bad == slow_bad);
    CHECK(!n || !memcmp(parts.data, expected, n));
    bl_buf_release(&out);
    bl_buf_release(&parts);
    free(expected);
    return 0;
}

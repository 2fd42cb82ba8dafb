/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include "wire/sse_writer.h"

/*
 * A browser's parser, written from the HTML standard 9.2.6 and from nothing of
 * ours: the oracle of S-48.
 */
typedef struct browser_t {
    char data[64];
    size_t data_len;
    char type[32];
    char id[32];
    size_t type_len, id_len;
    int events; /* dispatched */
    char seen_data[64];
    size_t seen_len;
    char seen_type[32];
    size_t seen_type_len;
} browser_t;

static void browser_field(browser_t *b, const char *name, size_t name_len,
                          const char *value, size_t len)
{
    if (name_len == 4 && !memcmp(name, "data", 4)) {
        memcpy(b->data + b->data_len, value, len);
        b->data_len += len;
        b->data[b->data_len++] = '\n';
    }
    else if (name_len == 5 && !memcmp(name, "event", 5)) {
        memcpy(b->type, value, len);
        b->type_len = len;
    }
    else if (name_len == 2 && !memcmp(name, "id", 2)) {
        if (memchr(value, 0, len)) return;
        memcpy(b->id, value, len);
        b->id_len = len;
    }
}

static void browser_dispatch(browser_t *b)
{
    if (b->data_len) {
        b->events++;
        b->seen_len = b->data_len - 1;
        memcpy(b->seen_data, b->data, b->seen_len);
        memcpy(b->seen_type, b->type, b->type_len);
        b->seen_type_len = b->type_len;
    }
    b->data_len = b->type_len = 0;
}

static void browser_line(browser_t *b, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len), *value;

    if (!len)
        browser_dispatch(b);
    else if (colon == line)
        return;
    else if (colon) {
        value = colon + 1;
        if (value < line + len && *value == ' ') value++;
        browser_field(b, line, (size_t)(colon - line), value,
                      (size_t)(line + len - value));
    }
    else
        browser_field(b, line, len, "", 0);
}

static void browser_read(browser_t *b, const char *text, size_t len)
{
    size_t i = 0, from = 0;

    memset(b, 0, sizeof(*b));
    while (i < len) {
        if (text[i] != '\n' && text[i] != '\r') {
            i++;
            continue;
        }
        browser_line(b, text + from, i - from);
        i += text[i] == '\r' && i + 1 < len && text[i + 1] == '\n' ? 2 : 1;
        from = i;
    }
}

/* What a browser can keep of line ends: LF for each of them. */
static size_t with_lf(char *dst, const char *text, size_t len)
{
    size_t i, n = 0;

    for (i = 0; i < len; i++) {
        if (text[i] == '\r') {
            dst[n++] = '\n';
            if (i + 1 < len && text[i + 1] == '\n') i++;
        }
        else
            dst[n++] = text[i];
    }
    return n;
}

static void write_event(bl_buf_t *out, const char *data, size_t len)
{
    bl_buf_clear(out);
    assert_int_equal(bl_sse_put_id(out, "s:1", 3), APR_SUCCESS);
    assert_int_equal(bl_sse_put_data(out, data, len), APR_SUCCESS);
    assert_int_equal(bl_sse_put_end(out), APR_SUCCESS);
}

static const char alphabet[] = {'\r', '\n', '\0', ':', ' ', 'a'};

#define LETTERS ((int)sizeof(alphabet))

/* S-48: all strings of up to 3 bytes over {CR, LF, NUL, ':', ' ', 'a'}. */
static void test_sse_writer_S48_data_comes_back_from_a_browser(void **state)
{
    char text[3], expected[8];
    bl_buf_t out;
    browser_t b;
    int i, n;

    (void)state;
    bl_buf_init(&out, 1000);
    for (n = 0; n <= 3; n++) {
        for (i = 0; i < LETTERS * LETTERS * LETTERS; i++) {
            size_t expected_len;

            text[0] = alphabet[i % LETTERS];
            text[1] = alphabet[i / LETTERS % LETTERS];
            text[2] = alphabet[i / LETTERS / LETTERS];
            write_event(&out, text, (size_t)n);
            browser_read(&b, out.data, out.len);
            expected_len = with_lf(expected, text, (size_t)n);
            assert_int_equal(b.events, 1);
            assert_int_equal(b.seen_len, expected_len);
            assert_memory_equal(b.seen_data, expected, expected_len);
            assert_int_equal(b.seen_type_len, 0);
            assert_int_equal(b.id_len, 3);
        }
    }
    bl_buf_release(&out);
}

/* S-48: an id or a type either comes back as it was or is refused whole. */
static void
test_sse_writer_S48_id_and_type_come_back_or_are_refused(void **state)
{
    char text[3];
    bl_buf_t out;
    browser_t b;
    int i, refused = 0;

    (void)state;
    bl_buf_init(&out, 1000);
    for (i = 0; i < LETTERS * LETTERS * LETTERS; i++) {
        apr_status_t rv;

        text[0] = alphabet[i % LETTERS];
        text[1] = alphabet[i / LETTERS % LETTERS];
        text[2] = alphabet[i / LETTERS / LETTERS];
        bl_buf_clear(&out);
        rv = bl_sse_put_id(&out, text, 3);
        assert_int_equal(bl_sse_put_type(&out, text, 3), rv);
        if (memchr(text, '\r', 3) || memchr(text, '\n', 3) ||
            memchr(text, '\0', 3)) {
            assert_int_equal(rv, APR_EINVAL);
            assert_int_equal(out.len, 0);
            refused++;
            continue;
        }
        assert_int_equal(rv, APR_SUCCESS);
        bl_sse_put_data(&out, "x", 1);
        bl_sse_put_end(&out);
        browser_read(&b, out.data, out.len);
        assert_int_equal(b.events, 1);
        assert_int_equal(b.id_len, 3);
        assert_memory_equal(b.id, text, 3);
        assert_int_equal(b.seen_type_len, 3);
        assert_memory_equal(b.seen_type, text, 3);
    }
    assert_int_equal(refused, 6 * 6 * 6 - 3 * 3 * 3);
    assert_int_equal(bl_sse_put_type(&out, "", 0), APR_EINVAL);
    bl_buf_release(&out);
}

static void test_sse_writer_lines_are_as_documented(void **state)
{
    bl_buf_t out;

    (void)state;
    bl_buf_init(&out, 1000);
    bl_sse_put_retry(&out, 3000);
    bl_sse_put_id(&out, "ab:12", 5);
    bl_sse_put_type(&out, "message", 7);
    bl_sse_put_data(&out, "a\nb\r\nc\rd\n", 9);
    bl_sse_put_end(&out);
    bl_sse_put_comment(&out, "hb");
    assert_buf(&out, "retry: 3000\nid: ab:12\nevent: message\ndata: a\n"
                     "data: b\ndata: c\ndata: d\ndata: \n\n: hb\n\n");
    bl_buf_release(&out);
}

static void test_sse_writer_comment_refuses_a_second_line(void **state)
{
    bl_buf_t out;

    (void)state;
    bl_buf_init(&out, 1000);
    assert_int_equal(bl_sse_put_comment(&out, "a\nb"), APR_EINVAL);
    assert_int_equal(out.len, 0);
    bl_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sse_writer_S48_data_comes_back_from_a_browser),
        cmocka_unit_test(
            test_sse_writer_S48_id_and_type_come_back_or_are_refused),
        cmocka_unit_test(test_sse_writer_lines_are_as_documented),
        cmocka_unit_test(test_sse_writer_comment_refuses_a_second_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include "wire/sse_parser.h"

/* Events as text: "name/id/status/data|" each. */
typedef struct record_t {
    bl_buf_t text;
    int events;
    int stop_after; /* 0 = never */
    apr_status_t stop_with;
} record_t;

static apr_status_t on_event(void *ctx, const bl_sse_event_t *ev)
{
    record_t *r = ctx;

    bl_buf_printf(&r->text, "%s/%s/%d/", ev->name, ev->id, ev->http_status);
    bl_buf_append(&r->text, ev->data, ev->data_len);
    bl_buf_puts(&r->text, "|");
    return ++r->events == r->stop_after ? r->stop_with : APR_SUCCESS;
}

static void begin(record_t *r)
{
    memset(r, 0, sizeof(*r));
    bl_buf_init(&r->text, 64 * 1024 * 1024);
}

/* Feeds a copy that ends where its memory ends: a sanitizer sees a read behind
 * it, and a view that outlives the feed. */
static apr_status_t feed(bl_sse_parser_t *p, record_t *r, const char *data,
                         size_t len)
{
    char *copy = malloc(len ? len : 1);
    apr_status_t rv;

    memcpy(copy, data, len);
    rv = bl_sse_parser_feed(p, copy, len, on_event, r);
    free(copy);
    return rv;
}

static void read_whole(record_t *r, const char *data, size_t len)
{
    bl_sse_parser_t p;

    begin(r);
    bl_sse_parser_init(&p, 0);
    assert_int_equal(feed(&p, r, data, len), APR_SUCCESS);
    assert_int_equal(bl_sse_parser_end(&p, on_event, r), APR_SUCCESS);
    bl_sse_parser_release(&p);
}

static void assert_same(record_t *a, record_t *b)
{
    assert_int_equal(a->text.len, b->text.len);
    if (a->text.len)
        assert_memory_equal(a->text.data, b->text.data, a->text.len);
}

static void assert_events(const char *data, const char *events)
{
    record_t r;

    read_whole(&r, data, strlen(data));
    assert_buf(&r.text, events);
    bl_buf_release(&r.text);
}

static void test_sse_parser_reads_the_four_line_frame(void **state)
{
    (void)state;
    assert_events("id:1\nevent:result\n:HTTP_STATUS/200\ndata:{\"a\":1}\n\n"
                  "id:2\nevent:error\n:HTTP_STATUS/429\ndata:x\n\n",
                  "result/1/200/{\"a\":1}|error/2/429/x|");
}

static void test_sse_parser_takes_every_line_end(void **state)
{
    (void)state;
    assert_events("id:1\r\ndata:a\r\n\r\ndata:b\r\n\r\n", "/1/0/a|//0/b|");
}

static void test_sse_parser_takes_bare_cr_and_mixed_ends(void **state)
{
    (void)state;
    assert_events("data:a\r\rdata:b\r\n\rdata:c\n\r\n", "//0/a|//0/b|//0/c|");
}

static void test_sse_parser_drops_one_space_after_the_colon(void **state)
{
    (void)state;
    assert_events("event: x\ndata:  a\n\n", "x//0/ a|");
}

static void test_sse_parser_joins_data_lines(void **state)
{
    (void)state;
    assert_events("data:a\ndata\ndata: b\ndata:\n\n", "//0/a\n\nb\n|");
    assert_events("data\n\n", "//0/|");
    assert_events("data\ndata\n\n", "//0/\n|");
}

/* U32: what is not known is passed over, and is no event. */
static void test_sse_parser_U32_skips_comments_and_unknown_fields(void **state)
{
    (void)state;
    assert_events(
        ": hb\n\n:\n\nretry:5\nfoo:bar\nfoo\nevent:done\n\n\n"
        "dat:x\ndatax:y\n:HTTP_STATUS/abc\n:HTTP_STATUS/20\ndata:z\n\n",
        "//0/z|");
}

static void test_sse_parser_fields_are_those_of_one_event_only(void **state)
{
    (void)state;
    assert_events("id:1\nevent:a\n:HTTP_STATUS/400\n\ndata:x\n\n", "//0/x|");
}

static void test_sse_parser_skips_a_leading_bom_only(void **state)
{
    (void)state;
    assert_events("\xEF\xBB\xBF"
                  "data:a\n\n\xEF\xBB\xBF"
                  "data:b\n\n",
                  "//0/a|");
    assert_events("\xEF\xBB"
                  "data:a\n\ndata:b\n\n",
                  "//0/b|");
}

static void test_sse_parser_cuts_long_names_and_ids(void **state)
{
    (void)state;
    assert_events("event:1234567890123456789012345678901234567890\ndata:\n\n",
                  "1234567890123456789012345678901//0/|");
}

static void
test_sse_parser_end_hands_out_what_lacks_its_blank_line(void **state)
{
    (void)state;
    assert_events("id:7\ndata:a", "/7/0/a|");
    assert_events("id:7\ndata:a\n", "/7/0/a|");
    assert_events("data:a\r", "//0/a|");
    assert_events("data:a\nda", "//0/a|");
    assert_events("id:7\n", "");
}

/* The same events, however the bytes are cut: at every place in two, and byte
 * by byte. */
static void assert_cut_anywhere(const char *data, size_t len)
{
    record_t whole, cut;
    bl_sse_parser_t p;
    size_t at;

    read_whole(&whole, data, len);
    for (at = 0; at <= len; at++) {
        begin(&cut);
        bl_sse_parser_init(&p, 0);
        feed(&p, &cut, data, at);
        feed(&p, &cut, data + at, len - at);
        assert_int_equal(bl_sse_parser_end(&p, on_event, &cut), APR_SUCCESS);
        assert_same(&whole, &cut);
        bl_buf_release(&cut.text);
        bl_sse_parser_release(&p);
    }
    begin(&cut);
    bl_sse_parser_init(&p, 0);
    for (at = 0; at < len; at++)
        feed(&p, &cut, data + at, 1);
    assert_int_equal(bl_sse_parser_end(&p, on_event, &cut), APR_SUCCESS);
    assert_same(&whole, &cut);
    bl_buf_release(&cut.text);
    bl_sse_parser_release(&p);
    bl_buf_release(&whole.text);
}

static const char *const fixtures[] = {"agent_cumulative.sse",
                                       "agent_incremental.sse",
                                       "agent_references.sse",
                                       "agent_thinking.sse",
                                       "error_after_text.sse",
                                       "error_first.sse",
                                       "error_throttled.sse",
                                       "model_cumulative.sse",
                                       "model_message.sse",
                                       "model_multimodal.sse",
                                       "model_search.sse",
                                       "model_text.sse",
                                       "model_thinking.sse",
                                       "model_tool_call.sse",
                                       "workflow_agent_format.sse",
                                       "workflow_full_thoughts.sse",
                                       "workflow_message_format.sse",
                                       "workflow_message_format_plus.sse"};

/* U17, U18: every fixture, as recorded and with CRLF and CR. */
static void test_sse_parser_U17_U18_every_fixture_cut_anywhere(void **state)
{
    size_t i, k;
    bl_buf_t lf, crlf;

    (void)state;
    for (i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
        codec_read_fixture(&lf, fixtures[i]);
        bl_buf_init(&crlf, 1024 * 1024);
        for (k = 0; k < lf.len; k++) {
            if (lf.data[k] == '\n')
                bl_buf_puts(&crlf, "\r\n");
            else
                bl_buf_append(&crlf, lf.data + k, 1);
        }
        assert_cut_anywhere(lf.data, lf.len);
        assert_cut_anywhere(crlf.data, crlf.len);
        for (k = 0; k < lf.len; k++) {
            if (lf.data[k] == '\n') lf.data[k] = '\r';
        }
        assert_cut_anywhere(lf.data, lf.len);
        bl_buf_release(&lf);
        bl_buf_release(&crlf);
    }
}

static void test_sse_parser_U18_odd_shapes_cut_anywhere(void **state)
{
    static const char text[] =
        "\xEF\xBB\xBF:HTTP_STATUS/200\rdata: a\r\ndata\r\rid:1\n\n\r\n"
        "event: x\r\ndata:b\ndata: c\r\n:HTTP_STATUS/500\r\n\r\ndata\n\n"
        "data:\xF0\x9F\x8D\xB5\ndata:d";

    (void)state;
    assert_cut_anywhere(text, sizeof(text) - 1);
    assert_cut_anywhere("\xEF\xBB:\n", 4);
}

/* An event of n bytes, one data line. */
static apr_status_t feed_event_of(size_t n, size_t step, size_t *pdata_len)
{
    bl_sse_parser_t p;
    apr_status_t rv = APR_SUCCESS;
    char *text = malloc(n + 1);
    size_t at;
    record_t r;

    begin(&r);
    memset(text, 'x', n);
    memcpy(text, "data:", 5);
    text[n - 1] = '\n';
    text[n] = '\n';
    bl_sse_parser_init(&p, 0);
    for (at = 0; at < n + 1 && rv == APR_SUCCESS; at += step) {
        size_t len = n + 1 - at < step ? n + 1 - at : step;

        rv = bl_sse_parser_feed(&p, text + at, len, on_event, &r);
        assert_true(p.held.size <= BL_MAX_EVENT_BYTES + 64 * 1024);
    }
    if (rv == APR_SUCCESS)
        assert_int_equal(r.events, 1);
    else
        assert_int_equal(r.events, 0);
    *pdata_len = r.text.len;
    /* Between events next to nothing is held. */
    assert_true(p.held.size <= 512);
    bl_buf_release(&r.text);
    bl_sse_parser_release(&p);
    free(text);
    return rv;
}

/* U22: one event of 1 MiB - 1, 1 MiB, 1 MiB + 1, 16 MiB; in one piece and in
 * small ones. */
static void test_sse_parser_U22_limit_of_one_event(void **state)
{
    static const size_t steps[] = {64 * 1024 * 1024, 16384, 1000};
    const size_t limit = BL_MAX_EVENT_BYTES;
    size_t i, len;

    (void)state;
    for (i = 0; i < 3; i++) {
        assert_int_equal(feed_event_of(limit - 1, steps[i], &len), 0);
        assert_int_equal(feed_event_of(limit, steps[i], &len), 0);
        assert_int_equal(len, limit - 6 + 5); /* "//0/|" more, "data:\n" less */
        assert_int_equal(feed_event_of(limit + 1, steps[i], &len),
                         BL_E_UPSTREAM_TOO_LARGE);
        assert_int_equal(feed_event_of(16 * limit, steps[i], &len),
                         BL_E_UPSTREAM_TOO_LARGE);
    }
}

/* U22: a line without end; many small lines without a blank one. */
static void test_sse_parser_U22_never_holds_more_than_the_limit(void **state)
{
    static const char *const lines[] = {"xxxxxxxxxxxxxxx", "data: xxxxxxx\n",
                                        ": comment\n", "data:\r"};
    bl_sse_parser_t p;
    record_t r;
    size_t i, fed;

    (void)state;
    for (i = 0; i < 4; i++) {
        apr_status_t rv = APR_SUCCESS;

        begin(&r);
        bl_sse_parser_init(&p, 4096);
        for (fed = 0; rv == APR_SUCCESS && fed < 10000;) {
            rv = bl_sse_parser_feed(&p, lines[i], strlen(lines[i]), on_event,
                                    &r);
            fed += strlen(lines[i]);
            assert_true(p.held.size <= 4096 + 2);
        }
        assert_int_equal(rv, BL_E_UPSTREAM_TOO_LARGE);
        assert_true(fed > 4096 && fed < 4096 + 32);
        /* ... and for ever. */
        assert_int_equal(bl_sse_parser_feed(&p, "\n\n", 2, on_event, &r),
                         BL_E_UPSTREAM_TOO_LARGE);
        assert_int_equal(bl_sse_parser_end(&p, on_event, &r),
                         BL_E_UPSTREAM_TOO_LARGE);
        assert_int_equal(r.events, 0);
        bl_buf_release(&r.text);
        bl_sse_parser_release(&p);
    }
}

/* U13, U21: after the end marker everything is taken and nothing read. */
static void test_sse_parser_U13_U21_eof_of_the_reader_ends_it(void **state)
{
    bl_sse_parser_t p;
    record_t r;

    (void)state;
    begin(&r);
    r.stop_after = 2;
    r.stop_with = APR_EOF;
    bl_sse_parser_init(&p, 0);
    assert_int_equal(feed(&p, &r, "data:a\n\ndata:b\n\ndata:c\n\ndata:d", 30),
                     APR_SUCCESS);
    assert_true(bl_sse_parser_is_done(&p));
    assert_int_equal(feed(&p, &r, "\n\ndata:e\n\n", 10), APR_SUCCESS);
    assert_int_equal(bl_sse_parser_end(&p, on_event, &r), APR_SUCCESS);
    assert_buf(&r.text, "//0/a|//0/b|");
    assert_null(p.held.data);
    bl_buf_release(&r.text);
    bl_sse_parser_release(&p);
}

static void test_sse_parser_passes_on_a_failure_of_the_reader(void **state)
{
    bl_sse_parser_t p;
    record_t r;

    (void)state;
    begin(&r);
    r.stop_after = 1;
    r.stop_with = BL_E_UPSTREAM_GARBAGE;
    bl_sse_parser_init(&p, 0);
    assert_int_equal(feed(&p, &r, "data:a\n\ndata:b\n\n", 16),
                     BL_E_UPSTREAM_GARBAGE);
    assert_false(bl_sse_parser_is_done(&p));
    assert_int_equal(bl_sse_parser_end(&p, on_event, &r),
                     BL_E_UPSTREAM_GARBAGE);
    assert_int_equal(r.events, 1);
    bl_buf_release(&r.text);
    bl_sse_parser_release(&p);
}

/* What lies whole in the input is handed out where it lies. */
static const char *seen_data;
static apr_status_t keep_place(void *ctx, const bl_sse_event_t *ev)
{
    (void)ctx;
    seen_data = ev->data;
    return APR_SUCCESS;
}

static void test_sse_parser_does_not_copy_a_whole_event(void **state)
{
    static const char text[] = "id:1\ndata:abc\n\n";
    bl_sse_parser_t p;

    (void)state;
    bl_sse_parser_init(&p, 0);
    bl_sse_parser_feed(&p, text, sizeof(text) - 1, keep_place, NULL);
    assert_ptr_equal(seen_data, text + 10);
    assert_null(p.held.data);
    bl_sse_parser_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sse_parser_reads_the_four_line_frame),
        cmocka_unit_test(test_sse_parser_takes_every_line_end),
        cmocka_unit_test(test_sse_parser_takes_bare_cr_and_mixed_ends),
        cmocka_unit_test(test_sse_parser_drops_one_space_after_the_colon),
        cmocka_unit_test(test_sse_parser_joins_data_lines),
        cmocka_unit_test(test_sse_parser_U32_skips_comments_and_unknown_fields),
        cmocka_unit_test(test_sse_parser_fields_are_those_of_one_event_only),
        cmocka_unit_test(test_sse_parser_skips_a_leading_bom_only),
        cmocka_unit_test(test_sse_parser_cuts_long_names_and_ids),
        cmocka_unit_test(
            test_sse_parser_end_hands_out_what_lacks_its_blank_line),
        cmocka_unit_test(test_sse_parser_U17_U18_every_fixture_cut_anywhere),
        cmocka_unit_test(test_sse_parser_U18_odd_shapes_cut_anywhere),
        cmocka_unit_test(test_sse_parser_U22_limit_of_one_event),
        cmocka_unit_test(test_sse_parser_U22_never_holds_more_than_the_limit),
        cmocka_unit_test(test_sse_parser_U13_U21_eof_of_the_reader_ends_it),
        cmocka_unit_test(test_sse_parser_passes_on_a_failure_of_the_reader),
        cmocka_unit_test(test_sse_parser_does_not_copy_a_whole_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Upstream bytes through parser, dialect and chat writer, whole and cut: the
 * same events; text valid and of bounded size; fields and what a browser gets
 * are JSON in jansson's eyes; nothing after an end; one answer in the end. */
#include <jansson.h>
#include <string.h>

#include "base/errors.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "upstream/dialect.h"
#include "wire/chat_writer.h"

typedef struct run_t {
    bl_buf_t lines;
    bl_buf_t answer_text;
    bl_answer_t answer;
    bl_chat_writer_t chat;
    void *state;
    apr_uint64_t seq;
    int usages;
    apr_status_t last;
} run_t;

static json_t *check_object(const char *text, size_t len)
{
    json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    CHECK(json_is_object(json));
    return json;
}

static void check_chat(run_t *r, const bl_event_t *ev)
{
    static const char mark[] = "\ndata: ";
    bl_span_t whole = {r->answer_text.data, r->answer_text.len};
    const char *data;
    bl_buf_t out;

    bl_buf_init(&out, 64 * 1024 * 1024);
    if (ev->kind == BL_EV_REPLACE) {
        CHECK(bl_chat_write_replace(&r->chat, &out, ev, &whole, 1) == 0);
    }
    else
        CHECK(bl_chat_write_event(&r->chat, &out, ev) == 0);
    if (ev->kind == BL_EV_USAGE)
        CHECK(out.len == 0);
    else {
        data = strstr(bl_buf_str(&out), mark);
        CHECK(data);
        data += sizeof(mark) - 1;
        CHECK(!memchr(data, '\n', (size_t)(out.data + out.len - data - 2)));
        json_decref(
            check_object(data, (size_t)(out.data + out.len - data - 2)));
    }
    bl_buf_release(&out);
}

static apr_status_t emit(void *ctx, const bl_event_t *event)
{
    bl_event_t ev = *event;
    run_t *r = ctx;
    json_t *json;

    ev.seq = ++r->seq;
    CHECK(bl_utf8_is_valid(ev.text, ev.text_len));
    CHECK(!ev.text_len || !memchr(ev.text, 0, ev.text_len));
    CHECK(ev.text_len <= BL_EVENT_PART_BYTES);
    CHECK(r->answer.finish == BL_FINISH_NONE);
    CHECK(r->usages == 0); /* only the end follows usage */
    json = ev.fields ? check_object(ev.fields, ev.fields_len) : NULL;
    if (ev.kind == BL_EV_REPLACE) {
        size_t keep = (size_t)json_integer_value(json_object_get(json, "keep"));

        CHECK(keep < r->answer_text.len || (!keep && !ev.text_len));
        r->answer_text.len = keep;
    }
    if (ev.kind == BL_EV_REPLACE || ev.kind == BL_EV_DELTA) {
        bl_buf_append(&r->answer_text, ev.text, ev.text_len);
        CHECK(bl_utf8_is_valid(r->answer_text.data, r->answer_text.len));
    }
    else if (ev.kind != BL_EV_REASONING)
        CHECK(ev.text_len == 0 && json);
    if (ev.kind == BL_EV_USAGE) r->usages++;
    json_decref(json);
    check_chat(r, &ev);
    bl_buf_printf(&r->lines, "%d|", (int)ev.kind);
    bl_buf_append(&r->lines, ev.text, ev.text_len);
    bl_buf_append(&r->lines, ev.fields, ev.fields_len);
    return bl_buf_puts(&r->lines, "\n");
}

static apr_status_t on_event(void *ctx, const bl_sse_event_t *ev)
{
    run_t *r = ctx;
    apr_status_t rv = bl_dialect_app.event(r->state, ev);

    CHECK(rv == APR_SUCCESS || rv == APR_EAGAIN || rv == APR_EOF ||
          (rv == r->answer.failure && rv > BL_E_BASE && rv < BL_E_END));
    CHECK((rv == APR_EOF) == (r->answer.finish != BL_FINISH_NONE));
    r->last = rv;
    return rv == APR_EAGAIN ? APR_SUCCESS : rv;
}

static void open_run(run_t *r, unsigned mode)
{
    static const char *const nodes[] = {NULL, "End_1, n"};
    bl_emitter_t out = {emit, r};
    bl_target_t target;

    memset(r, 0, sizeof(*r));
    memset(&target, 0, sizeof(target));
    target.is_incremental = (int)(mode & 1);
    target.flow_mode = (bl_flow_mode_t)((mode >> 1) % 5);
    target.answer_nodes = nodes[mode >> 4 & 1];
    bl_buf_init(&r->lines, 64 * 1024 * 1024);
    bl_buf_init(&r->answer_text, 64 * 1024 * 1024);
    CHECK(bl_chat_writer_init(&r->chat, "s", "c", "m", BL_LANG_EN) == 0);
    CHECK(bl_dialect_app.open(&r->state, &target, &out, &r->answer) == 0);
}

static void close_run(run_t *r)
{
    bl_dialect_app.close(r->state);
    bl_chat_writer_release(&r->chat);
    bl_buf_release(&r->lines);
    bl_buf_release(&r->answer_text);
}

static void read_stream(run_t *r, unsigned mode, const char *text, size_t len,
                        size_t step)
{
    apr_status_t rv = APR_SUCCESS;
    bl_sse_parser_t p;
    size_t at;

    open_run(r, mode);
    bl_sse_parser_init(&p, 0);
    for (at = 0; at < len && rv == APR_SUCCESS; at += step) {
        rv = bl_sse_parser_feed(&p, text + at,
                                len - at < step ? len - at : step, on_event, r);
    }
    if (rv == APR_SUCCESS) rv = bl_sse_parser_end(&p, on_event, r);
    rv = bl_dialect_app.finish(r->state);
    CHECK((rv == APR_SUCCESS) == (r->answer.finish != BL_FINISH_NONE));
    CHECK(rv == r->answer.failure);
    bl_sse_parser_release(&p);
}

static void read_body(unsigned mode, const char *text, size_t len)
{
    static const int statuses[] = {200, 400, 429, 503};
    apr_status_t rv;
    run_t r;

    open_run(&r, mode);
    rv = bl_dialect_app.body(r.state, statuses[mode >> 5 & 3], text, len);
    CHECK(rv == APR_EOF || (rv == r.answer.failure && rv != APR_SUCCESS));
    close_run(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_t whole, cut;

    if (size < 2) return 0;
    read_stream(&whole, data[0], (const char *)data + 2, size - 2, size);
    read_stream(&cut, data[0], (const char *)data + 2, size - 2,
                1 + data[1] % 32);
    CHECK(whole.lines.len == cut.lines.len);
    CHECK(!cut.lines.len ||
          !memcmp(whole.lines.data, cut.lines.data, cut.lines.len));
    CHECK(!memcmp(&whole.answer, &cut.answer, sizeof(cut.answer)));
    close_run(&whole);
    close_run(&cut);
    read_body(data[0], (const char *)data + 2, size - 2);
    return 0;
}

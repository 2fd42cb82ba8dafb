/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shape.h"
#include "tool.h"

#define HEAD_MAX 16384
#define CARRY_MAX (64u << 20)

enum { HEAD, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, BODY, DONE };

#define FAILURE_NAME(name) #name,
const char *const bench_failure_names[] = {BENCH_FAILURES(FAILURE_NAME)};

static void fail(bench_answer_t *a, int failure)
{
    if (!a->failure) a->failure = failure;
}

static void append(char **pbuffer, size_t *plength, size_t *proom,
                   const char *data, size_t length)
{
    if (*plength + length > *proom) {
        size_t room = *proom ? *proom : 256;

        while (room < *plength + length)
            room *= 2;
        *pbuffer = realloc(*pbuffer, room);
        if (!*pbuffer) bench_die("answer");
        *proom = room;
    }
    memcpy(*pbuffer + *plength, data, length);
    *plength += length;
}

/* --- events --------------------------------------------------------------- */

typedef struct block_t {
    const char *id, *data, *name; /* behind the colon and space; NULL = none */
    size_t id_length, data_length, name_length;
} block_t;

/* The place behind the key, NULL when it is not there. */
static const char *value_of(const block_t *b, const char *key, size_t length)
{
    const char *at = memmem(b->data, b->data_length, key, length);

    return at ? at + length : NULL;
}
#define VALUE_OF(b, key) value_of((b), key, sizeof(key) - 1)

/* The length of a JSON string from behind its opening quote. */
static size_t string_length(const block_t *b, const char *text)
{
    const char *end = b->data + b->data_length, *at = text;

    while ((at = memchr(at, '"', (size_t)(end - at))) != NULL) {
        const char *slash = at;

        while (slash > text && slash[-1] == '\\')
            slash--;
        if ((at - slash) % 2 == 0) return (size_t)(at - text);
        at++;
    }
    return (size_t)(end - text);
}

static void hash_text(bench_answer_t *a, const char *text, size_t length)
{
    uint64_t hash = a->text_hash;
    size_t i;

    for (i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211ULL;
    a->text_hash = hash;
    a->text_length += length;
}

/* <stream>.<seq>:<ns><space><filler> against what must come next. */
void bench_answer_text(bench_answer_t *a, bench_expect_t *expect,
                       const char *text, size_t length, uint64_t now_ns)
{
    const char *at = text, *end = text + length, *filler;
    int64_t stream, seq, sent_ns;
    size_t filler_length;

    stream = bench_number(&at, end, INT64_MAX);
    if (stream < 0 || at == end || *at++ != '.') goto no_stamp;
    seq = bench_number(&at, end, UINT32_MAX);
    if (seq < 0 || at == end || *at++ != ':') goto no_stamp;
    sent_ns = bench_number(&at, end, INT64_MAX);
    if (sent_ns < 0 || at == end || *at++ != ' ') goto no_stamp;
    if (!a->stream) a->stream = (uint64_t)stream;
    if (a->stream != (uint64_t)stream) fail(a, BENCH_FAIL_mixed);
    if (seq <= a->seq) fail(a, BENCH_FAIL_repeat);
    if (seq > a->seq + 1) fail(a, BENCH_FAIL_gap);
    if (a->has_end) fail(a, BENCH_FAIL_after_end);
    if (expect->text_bytes != UINT32_MAX) {
        filler_length = bench_filler(&filler, expect->text_bytes);
        if ((size_t)(end - at) != filler_length ||
            memcmp(at, filler, filler_length) != 0)
            fail(a, BENCH_FAIL_filler);
    }
    if (a->failure) return;
    a->seq = (uint32_t)seq;
    expect->total_events++;
    bench_hist_add(&expect->delay,
                   now_ns > (uint64_t)sent_ns ? now_ns - (uint64_t)sent_ns : 0);
    if (a->last_ns) bench_hist_add(&expect->gap, now_ns - a->last_ns);
    if (!a->first_ns) a->first_ns = now_ns;
    a->last_ns = now_ns;
    return;
no_stamp:
    fail(a, BENCH_FAIL_stamp);
}

void bench_answer_end(bench_answer_t *a, const bench_expect_t *expect)
{
    if (a->has_end) fail(a, BENCH_FAIL_after_end);
    if (expect->events && a->seq != expect->events)
        fail(a, BENCH_FAIL_early_end);
    a->has_end = 1;
}

static void take_bailian(bench_answer_t *a, bench_expect_t *expect,
                         const block_t *b, uint64_t now_ns)
{
    const char *text, *id = b->id;
    int64_t number;

    if (b->name_length == 5 && memcmp(b->name, "error", 5) == 0) {
        fail(a, BENCH_FAIL_error);
        return;
    }
    number = id ? bench_number(&id, b->id + b->id_length, INT64_MAX) : -1;
    if (number != (int64_t)a->last_id + 1) {
        /* A number that came again or was left out shows in the stamp. */
        text = VALUE_OF(b, "\"text\":\"");
        if (text)
            bench_answer_text(a, expect, text, string_length(b, text), now_ns);
        fail(a, BENCH_FAIL_id);
        return;
    }
    a->last_id = (uint64_t)number;
    text = VALUE_OF(b, "\"text\":\"");
    if (VALUE_OF(b, "\"finish_reason\":\"stop\""))
        bench_answer_end(a, expect);
    else if (!text)
        fail(a, BENCH_FAIL_stamp);
    else
        bench_answer_text(a, expect, text, string_length(b, text), now_ns);
}

/* "<stream id>:<seq>": the stream id stays, the seq rises. */
static void check_id(bench_answer_t *a, const block_t *b)
{
    const char *colon = memrchr(b->id, ':', b->id_length), *at;
    size_t length = b->id_length;
    int64_t number = -1;

    if (colon) {
        at = colon + 1;
        number = bench_number(&at, b->id + length, INT64_MAX);
    }
    if (number > 0 && (uint64_t)number == a->last_id) {
        fail(a, BENCH_FAIL_repeat);
        return;
    }
    if (number < 0 || length >= sizeof(a->id) ||
        (uint64_t)number <= a->last_id ||
        (a->id[0] && memcmp(a->id, b->id, (size_t)(colon - b->id) + 1) != 0))
    {
        fail(a, BENCH_FAIL_id);
        return;
    }
    a->last_id = (uint64_t)number;
    memcpy(a->id, b->id, length);
    a->id[length] = '\0';
}

static void check_whole(bench_answer_t *a, const char *text, size_t length)
{
    uint64_t hash = a->text_hash, text_length = a->text_length;

    a->text_hash = 0;
    a->text_length = 0;
    hash_text(a, text, length);
    if (a->text_length != text_length || a->text_hash != hash)
        fail(a, BENCH_FAIL_whole);
}

static void keep(bench_answer_t *a, const char *from, size_t length)
{
    append(&a->transcript, &a->transcript_length, &a->transcript_room, from,
           length);
    append(&a->transcript, &a->transcript_length, &a->transcript_room, "\n", 1);
}

static void take_chat(bench_answer_t *a, bench_expect_t *expect,
                      const block_t *b, uint64_t now_ns)
{
    const char *text = VALUE_OF(b, "\"content\":\"");
    size_t length = text ? string_length(b, text) : 0;
    int is_end = VALUE_OF(b, "\"isEnd\":true") != NULL;

    if (VALUE_OF(b, "\"reconnect\":true")) {
        a->is_sent_back = 1;
        return;
    }
    if (!is_end && text && !length) {
        expect->heartbeats++;
        return;
    }
    if (b->id)
        check_id(a, b);
    else
        fail(a, BENCH_FAIL_id);
    if (VALUE_OF(b, "\"error\":"))
        fail(a, BENCH_FAIL_error);
    else if (!text)
        fail(a, BENCH_FAIL_stamp);
    else if (is_end) {
        check_whole(a, text, length);
        bench_answer_end(a, expect);
    }
    else {
        hash_text(a, text, length);
        bench_answer_text(a, expect, text, length, now_ns);
    }
    if (a->keeps_transcript && b->id) {
        keep(a, b->id, b->id_length);
        keep(a, b->data, b->data_length);
    }
}

static void take_block(bench_answer_t *a, bench_expect_t *expect,
                       const block_t *b, uint64_t now_ns)
{
    if (!b->data) return; /* a comment */
    if (expect->dialect == BENCH_CHAT)
        take_chat(a, expect, b, now_ns);
    else
        take_bailian(a, expect, b, now_ns);
}

static void take_line(block_t *b, const char *line, size_t length)
{
    const char *value = memchr(line, ':', length);
    size_t name_length, value_length;

    if (!value || value == line) return;
    name_length = (size_t)(value - line);
    value++;
    value_length = length - name_length - 1;
    if (value_length && *value == ' ') {
        value++;
        value_length--;
    }
    if (name_length == 4 && memcmp(line, "data", 4) == 0) {
        b->data = value;
        b->data_length = value_length;
    }
    else if (name_length == 2 && memcmp(line, "id", 2) == 0) {
        b->id = value;
        b->id_length = value_length;
    }
    else if (name_length == 5 && memcmp(line, "event", 5) == 0) {
        b->name = value;
        b->name_length = value_length;
    }
}

/* Takes all whole events; returns how many bytes they were. */
static size_t take_events(bench_answer_t *a, bench_expect_t *expect,
                          const char *data, size_t length, uint64_t now_ns)
{
    const char *line = data, *end = data + length, *newline;
    size_t taken = 0;
    block_t block = {0};

    while (!a->failure &&
           (newline = memchr(line, '\n', (size_t)(end - line))) != NULL)
    {
        if (newline == line) {
            take_block(a, expect, &block, now_ns);
            memset(&block, 0, sizeof(block));
            taken = (size_t)(newline + 1 - data);
        }
        else
            take_line(&block, line, (size_t)(newline - line));
        line = newline + 1;
    }
    return taken;
}

/* Bytes of the body: whole events are taken where they stand, the rest waits
 * in carry. */
static void take_body(bench_answer_t *a, bench_expect_t *expect,
                      const char *data, size_t length, uint64_t now_ns)
{
    size_t taken;

    if (!a->carried) {
        taken = take_events(a, expect, data, length, now_ns);
        append(&a->carry, &a->carried, &a->room, data + taken, length - taken);
        return;
    }
    append(&a->carry, &a->carried, &a->room, data, length);
    if (a->carried > CARRY_MAX) fail(a, BENCH_FAIL_stamp);
    if (!memchr(data, '\n', length)) return;
    taken = take_events(a, expect, a->carry, a->carried, now_ns);
    a->carried -= taken;
    memmove(a->carry, a->carry + taken, a->carried);
}

/* --- HTTP ----------------------------------------------------------------- */

/* The value of a header in the NUL-terminated head, NULL without one. */
static const char *header(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);

    return at ? at + strlen(name) + strspn(at + strlen(name), " \t") : NULL;
}

static void read_head(bench_answer_t *a)
{
    const char *at, *value, *end = a->carry + a->carried;

    if (strncmp(a->carry, "HTTP/1.1 ", 9) != 0) {
        fail(a, BENCH_FAIL_head);
        return;
    }
    at = a->carry + 9;
    a->status = (int)bench_number(&at, end, 999);
    if (a->status != 200) {
        fail(a, BENCH_FAIL_status);
        return;
    }
    value = header(a->carry, "\r\ncontent-type:");
    if (!value || strncasecmp(value, "text/event-stream", 17) != 0)
        fail(a, BENCH_FAIL_head);
    value = header(a->carry, "\r\ntransfer-encoding:");
    a->is_chunked = value && strncasecmp(value, "chunked", 7) == 0;
    value = header(a->carry, "\r\nx-bailian-stream:");
    if (value && strcspn(value, "\r") < sizeof(a->stream_id)) {
        memcpy(a->stream_id, value, strcspn(value, "\r"));
        a->stream_id[strcspn(value, "\r")] = '\0';
    }
    a->left = UINT64_MAX;
    value = header(a->carry, "\r\ncontent-length:");
    if (value) {
        int64_t length = bench_number(&value, end, INT64_MAX);

        if (length < 0) fail(a, BENCH_FAIL_head);
        a->left = (uint64_t)length;
    }
}

static size_t take_head(bench_answer_t *a, const char *data, size_t length)
{
    size_t before = a->carried, used;
    const char *end;

    append(&a->carry, &a->carried, &a->room, data, length);
    end = memmem(a->carry, a->carried, "\r\n\r\n", 4);
    if (!end) {
        if (a->carried > HEAD_MAX) fail(a, BENCH_FAIL_head);
        return length;
    }
    used = (size_t)(end + 4 - a->carry);
    a->carry[used - 2] = '\0';
    read_head(a);
    a->carried = 0;
    a->state = a->is_chunked ? CHUNK_SIZE : BODY;
    a->left = a->is_chunked ? 0 : a->left;
    return used - before;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return -1;
}

static void end_body(bench_answer_t *a)
{
    a->state = DONE;
    a->is_done = 1;
    if (a->carried) fail(a, BENCH_FAIL_cut);
    if (!a->has_end && !a->is_sent_back) fail(a, BENCH_FAIL_no_end);
}

/* One byte of what stands around chunks; `framed` counts those before it. */
static void take_frame_byte(bench_answer_t *a, char c)
{
    int digit = hex_of(c);

    if (a->state == CHUNK_SIZE && digit >= 0 && a->framed < 8) {
        a->left = a->left * 16 + (unsigned)digit;
        a->framed++;
        return;
    }
    /* CR LF follows a size of at least one digit, each chunk and the end. */
    if (!a->has_cr && c == '\r' && (a->state != CHUNK_SIZE || a->framed)) {
        a->has_cr = 1;
        return;
    }
    if (!a->has_cr || c != '\n') {
        fail(a, BENCH_FAIL_chunk);
        return;
    }
    a->has_cr = a->framed = 0;
    if (a->state == CHUNK_END)
        a->state = CHUNK_SIZE;
    else if (a->state == TRAILER)
        end_body(a);
    else
        a->state = a->left ? CHUNK_DATA : TRAILER;
}

void bench_answer_feed(bench_answer_t *a, bench_expect_t *expect,
                       const char *data, size_t length, uint64_t now_ns)
{
    expect->total_bytes += length;
    while (length && !a->failure) {
        size_t used = 1;

        if (a->state == HEAD)
            used = take_head(a, data, length);
        else if (a->state == CHUNK_DATA || a->state == BODY) {
            used = length < a->left ? length : (size_t)a->left;
            take_body(a, expect, data, used, now_ns);
            a->left -= used;
            if (!a->left && a->state == CHUNK_DATA)
                a->state = CHUNK_END;
            else if (!a->left)
                end_body(a);
        }
        else if (a->state == DONE)
            fail(a, BENCH_FAIL_after_end);
        else
            take_frame_byte(a, *data);
        data += used;
        length -= used;
    }
}

void bench_answer_eof(bench_answer_t *a)
{
    if (a->state == DONE || a->failure) return;
    if (a->state == BODY && a->left > UINT64_MAX / 2)
        end_body(a);
    else
        fail(a, BENCH_FAIL_cut);
}

void bench_answer_begin(bench_answer_t *a, int is_continuation)
{
    a->state = HEAD;
    a->failure = 0;
    a->status = 0;
    a->is_chunked = a->has_end = a->is_done = a->is_sent_back = 0;
    a->has_cr = a->framed = 0;
    a->carried = 0;
    if (is_continuation) return;
    a->stream = 0;
    a->seq = 0;
    a->first_ns = a->last_ns = 0;
    a->text_length = a->text_hash = 0;
    a->last_id = 0;
    a->id[0] = '\0';
    a->stream_id[0] = '\0';
    a->transcript_length = 0;
}

void bench_answer_free(bench_answer_t *a)
{
    free(a->carry);
    free(a->transcript);
    memset(a, 0, sizeof(*a));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a WebSocket client may send (RFC 6455 5), cut anywhere: the messages and
 * the Close code are the same as those of a decoder that looks at the whole. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "wire/ws_codec.h"

#define MESSAGE_BYTES 512
#define FRAMES 8
#define CONTROLS 4

/* --- what came out ------------------------------------------------------ */

typedef struct seen_t {
    bl_buf_t messages; /* kind, length, bytes of each */
    int code;          /* of the Close that the server sent; 0 */
} seen_t;

static void put(bl_buf_t *to, const char *data, size_t len, int is_text)
{
    char head[3] = {is_text ? 't' : 'b', (char)(len >> 8), (char)len};

    CHECK(!is_text || bl_utf8_is_valid(data, len));
    CHECK(len <= MESSAGE_BYTES);
    bl_buf_append(to, head, sizeof(head));
    bl_buf_append(to, data, len);
}

static void on_message(void *ctx, const char *data, size_t len, int is_text)
{
    put(&((seen_t *)ctx)->messages, data, len, is_text);
}

static void run(seen_t *seen, const char *data, size_t size, size_t step)
{
    static const bl_ws_limits_t limits = {MESSAGE_BYTES, FRAMES, CONTROLS};
    size_t at, n;
    bl_buf_t out;
    bl_ws_t ws;

    memset(seen, 0, sizeof(*seen));
    bl_buf_init(&seen->messages, 1 << 20);
    bl_buf_init(&out, 1 << 20);
    bl_ws_init(&ws, &limits, on_message, seen);
    for (at = 0; at < size; at += n) {
        n = size - at < step ? size - at : step;
        bl_ws_feed(&ws, data + at, n, 1000, &out);
    }
    seen->code = ws.sent_code;
    bl_ws_release(&ws);
    bl_buf_release(&out);
}

/* --- the oracle: frame by frame, over the whole ------------------------- */

typedef struct frame_t {
    int is_fin, opcode;
    const unsigned char *mask;
    size_t len;
} frame_t;

/* Bytes of its head; 0: not whole; -1: 1002; -2: above the message's limit. */
static int head_of(const unsigned char *at, size_t left, frame_t *f)
{
    size_t need = 2, i;

    if (left < 2) return 0;
    f->is_fin = at[0] >> 7;
    f->opcode = at[0] & 15;
    f->len = at[1] & 127;
    if (f->len == 126) need = 4;
    if (f->len == 127) need = 10;
    if (left < need + 4) return 0;
    if (need > 2) {
        for (i = 2, f->len = 0; i < need; i++)
            f->len = f->len << 8 | at[i];
    }
    f->mask = at + need;
    return (int)need + 4;
}

/* Nothing is compared from here on: which of two faults in one place is told
 * first is the codec's to choose. */
static int is_faulty(const unsigned char *at, const frame_t *f, int is_open,
                     size_t so_far, int frames, int *pcontrols)
{
    int is_control = f->opcode >= 8;

    if ((at[0] & 0x70) || !(at[1] & 0x80)) return 1;
    if (f->opcode > 10 || (f->opcode > 2 && f->opcode < 8)) return 1;
    if ((at[1] & 127) == 126 && f->len < 126) return 1;
    if ((at[1] & 127) == 127 && f->len < 65536) return 1;
    if (is_control)
        return !f->is_fin || f->len > 125 || ++*pcontrols > CONTROLS;
    if ((f->opcode == 0) != is_open) return 1;
    return f->len > MESSAGE_BYTES - so_far || frames + 1 > FRAMES;
}

static void oracle(bl_buf_t *messages, const char *data, size_t size,
                   int *pis_good)
{
    const unsigned char *at = (const unsigned char *)data;
    char text[MESSAGE_BYTES];
    int is_open = 0, is_text = 0, frames = 0, controls = 0, head;
    size_t so_far = 0, left = size, i;
    frame_t f;

    *pis_good = 1;
    while ((head = head_of(at, left, &f)) > 0) {
        if (is_faulty(at, &f, is_open, so_far, frames, &controls)) break;
        if (left - (size_t)head < f.len) return; /* the rest is to come */
        if (f.opcode == 8) return;               /* Close: nothing follows */
        at += head;
        left -= (size_t)head;
        if (f.opcode < 8) {
            if (f.opcode) is_text = f.opcode == 1;
            for (i = 0; i < f.len; i++)
                text[so_far + i] = (char)(at[i] ^ f.mask[i % 4]);
            so_far += f.len;
            frames++;
            is_open = !f.is_fin;
            if (f.is_fin) {
                if (is_text && !bl_utf8_is_valid(text, so_far)) break;
                put(messages, text, so_far, is_text);
                so_far = 0;
                frames = 0;
            }
        }
        at += f.len;
        left -= f.len;
    }
    /* It may wait for the payload before it says so. */
    *pis_good = head <= 0 || left <= (size_t)head;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 3, 7, 64};
    const char *bytes = (const char *)data;
    seen_t whole, cut;
    bl_buf_t expected;
    int is_good;
    size_t i;

    bl_buf_init(&expected, 1 << 20);
    run(&whole, bytes, size, size ? size : 1);
    oracle(&expected, bytes, size, &is_good);
    CHECK(whole.messages.len == expected.len);
    CHECK(!expected.len ||
          !memcmp(whole.messages.data, expected.data, expected.len));
    CHECK(is_good || whole.code >= BL_WS_PROTOCOL);
    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        run(&cut, bytes, size, steps[i]);
        CHECK(cut.code == whole.code);
        CHECK(cut.messages.len == whole.messages.len);
        CHECK(!cut.messages.len ||
              !memcmp(cut.messages.data, whole.messages.data,
                      whole.messages.len));
        bl_buf_release(&cut.messages);
    }
    bl_buf_release(&whole.messages);
    bl_buf_release(&expected);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ws_codec.h"
#include "base/utf8.h"

#include <string.h>
#include <wslay/wslay.h>

#define CONTROL_MOST 125 /* RFC 6455 5.5 */
#define KEEP_BYTES 1024  /* a codec that waits holds no more than this */

/* --- frames to be sent -------------------------------------------------- */

/* RFC 6455 5.2: whole, final, not masked. */
static apr_status_t put_frame(bl_buf_t *out, int opcode, const char *data,
                              size_t len)
{
    unsigned char head[10];
    size_t n = 2, i;

    head[0] = (unsigned char)(0x80 | opcode);
    if (len < 126) {
        head[1] = (unsigned char)len;
    }
    else {
        size_t bytes = len < 65536 ? 2 : 8;

        head[1] = bytes == 2 ? 126 : 127;
        for (i = 0; i < bytes; i++) {
            head[n++] =
                (unsigned char)((apr_uint64_t)len >> 8 * (bytes - 1 - i));
        }
    }
    /* All of it or nothing: a head alone would take what follows for its own
     * payload. */
    if (!bl_buf_room(out, n + len)) return bl_buf_status(out);
    bl_buf_append(out, head, n);
    return len ? bl_buf_append(out, data, len) : APR_SUCCESS;
}

apr_status_t bl_ws_put_text(bl_buf_t *out, const char *text, size_t len)
{
    return put_frame(out, WSLAY_TEXT_FRAME, text, len);
}

apr_status_t bl_ws_put_binary(bl_buf_t *out, const char *data, size_t len)
{
    return put_frame(out, WSLAY_BINARY_FRAME, data, len);
}

apr_status_t bl_ws_put_ping(bl_buf_t *out)
{
    return put_frame(out, WSLAY_PING, NULL, 0);
}

void bl_ws_close(bl_ws_t *ws, bl_buf_t *out, int code, const char *reason)
{
    char payload[CONTROL_MOST];
    size_t len = reason ? strlen(reason) : 0;

    if (ws->sent_code) return;
    ws->sent_code = code;
    if (len > sizeof(payload) - 2) len = sizeof(payload) - 2;
    if (code == BL_WS_NO_CODE) {
        put_frame(out, WSLAY_CONNECTION_CLOSE, NULL, 0);
        return;
    }
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    if (len) memcpy(payload + 2, reason, len);
    put_frame(out, WSLAY_CONNECTION_CLOSE, payload, len + 2);
}

/* --- made and released -------------------------------------------------- */

void bl_ws_init(bl_ws_t *ws, const bl_ws_limits_t *limits,
                bl_ws_message_fn *message, void *ctx)
{
    memset(ws, 0, sizeof(*ws));
    ws->limits = *limits;
    ws->message = message;
    ws->ctx = ctx;
    bl_buf_init(&ws->text, limits->message_bytes);
}

static void forget_frames(bl_ws_t *ws)
{
    if (ws->frames) wslay_frame_context_free(ws->frames);
    ws->frames = NULL;
    ws->unread = 0;
}

void bl_ws_release(bl_ws_t *ws)
{
    forget_frames(ws);
    bl_buf_release(&ws->text);
}

int bl_ws_is_over(const bl_ws_t *ws)
{
    return ws->sent_code && ws->got_code;
}

/* --- reading ------------------------------------------------------------ */

static ssize_t take_bytes(uint8_t *buf, size_t len, int flags, void *ctx)
{
    bl_ws_t *ws = ctx;

    (void)flags;
    if (!ws->in_len) return -1;
    if (len > ws->in_len) len = ws->in_len;
    memcpy(buf, ws->in, len);
    ws->in += len;
    ws->in_len -= len;
    ws->unread += len;
    return (ssize_t)len;
}

static int open_frames(bl_ws_t *ws)
{
    static const struct wslay_frame_callbacks calls = {NULL, take_bytes, NULL};
    wslay_frame_context_ptr frames = NULL;

    if (ws->frames) return 1;
    if (wslay_frame_context_init(&frames, &calls, ws)) return 0;
    ws->frames = frames;
    return 1;
}

static size_t head_len(const struct wslay_frame_iocb *f)
{
    size_t len = f->payload_length < 126     ? 0
                 : f->payload_length < 65536 ? 2
                                             : 8;

    return 2 + len + (f->mask ? 4 : 0);
}

/* May this text be the beginning of a character that is cut? */
static int is_beginning(const char *text, size_t len)
{
    unsigned char lead = (unsigned char)*text;
    size_t whole = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    char filled[4];

    if (lead < 0xc2 || lead > 0xf4 || len >= whole) return 0;
    if (len == 1) return 1;
    memset(filled, 0x80, sizeof(filled));
    memcpy(filled, text, len);
    return bl_utf8_char_len(filled, whole) == whole;
}

/* 0: it is not UTF-8, whatever may follow. */
static int check_text(bl_ws_t *ws, int is_whole)
{
    size_t rest;

    ws->valid +=
        bl_utf8_valid_len(ws->text.data + ws->valid, ws->text.len - ws->valid);
    rest = ws->text.len - ws->valid;
    return !rest ||
           (!is_whole && is_beginning(ws->text.data + ws->valid, rest));
}

/* What a frame may be where it stands; 0 or the code to close with. */
static int check_data_frame(bl_ws_t *ws, const struct wslay_frame_iocb *f)
{
    if (f->opcode > WSLAY_BINARY_FRAME) return BL_WS_PROTOCOL;
    if ((f->opcode == WSLAY_CONTINUATION_FRAME) != ws->is_in_message) {
        return BL_WS_PROTOCOL;
    }
    if (!ws->is_in_message) {
        ws->is_in_message = 1;
        ws->is_text = f->opcode == WSLAY_TEXT_FRAME;
        ws->frame_count = 0;
        ws->valid = 0;
        bl_buf_clear(&ws->text);
    }
    if (++ws->frame_count > ws->limits.frames_of_message ||
        f->payload_length > ws->limits.message_bytes - ws->text.len)
    {
        return BL_WS_TOO_BIG;
    }
    return 0;
}

static int check_control_frame(bl_ws_t *ws, const struct wslay_frame_iocb *f,
                               bl_ms_t now)
{
    /* Longer or fragmented ones are refused by libwslay. */
    if (f->opcode > WSLAY_PONG) return BL_WS_PROTOCOL;
    if (f->opcode == WSLAY_CONNECTION_CLOSE) return 0;
    if (now >= ws->second + 1000) {
        ws->second = now;
        ws->control_count = 0;
    }
    return ++ws->control_count > ws->limits.controls_per_second ? BL_WS_POLICY
                                                                : 0;
}

static int begin_frame(bl_ws_t *ws, const struct wslay_frame_iocb *f,
                       bl_ms_t now)
{
    if (!f->mask || f->rsv) return BL_WS_PROTOCOL;
    ws->is_in_frame = 1;
    ws->opcode = f->opcode;
    ws->is_fin = f->fin;
    ws->rest = f->payload_length;
    ws->unread -= head_len(f);
    ws->control_len = 0;
    return wslay_is_ctrl_frame(f->opcode) ? check_control_frame(ws, f, now)
                                          : check_data_frame(ws, f);
}

static int take_payload(bl_ws_t *ws, const char *data, size_t len)
{
    ws->rest -= len;
    ws->unread -= len;
    if (wslay_is_ctrl_frame(ws->opcode)) {
        memcpy(ws->control + ws->control_len, data, len);
        ws->control_len += len;
        return 0;
    }
    if (bl_buf_append(&ws->text, data, len) != APR_SUCCESS) {
        return BL_WS_INTERNAL;
    }
    return ws->is_text && ws->text.len && !check_text(ws, 0) ? BL_WS_BAD_TEXT
                                                             : 0;
}

/* RFC 6455 7.4: codes that may stand in a frame. */
static int is_close_code(int code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
            code != 1006) ||
           (code >= 3000 && code <= 4999);
}

static int take_close(bl_ws_t *ws)
{
    int code = BL_WS_NO_CODE;

    if (ws->control_len == 1) return BL_WS_PROTOCOL;
    if (ws->control_len) {
        code =
            (unsigned char)ws->control[0] << 8 | (unsigned char)ws->control[1];
        if (!is_close_code(code)) return BL_WS_PROTOCOL;
        if (!bl_utf8_is_valid(ws->control + 2, ws->control_len - 2)) {
            return BL_WS_BAD_TEXT;
        }
    }
    ws->got_code = code;
    return 0;
}

static int end_message(bl_ws_t *ws)
{
    if (!ws->is_fin) return 0;
    if (ws->is_text && ws->text.len && !check_text(ws, 1)) {
        return BL_WS_BAD_TEXT;
    }
    ws->is_in_message = 0;
    /* After our Close nothing of the peer counts but its own. */
    if (!ws->sent_code) {
        ws->message(ws->ctx, ws->text.data ? ws->text.data : "", ws->text.len,
                    ws->is_text);
    }
    bl_buf_clear(&ws->text);
    if (ws->text.size > KEEP_BYTES) bl_buf_release(&ws->text);
    return 0;
}

static int end_frame(bl_ws_t *ws)
{
    ws->is_in_frame = 0;
    switch (ws->opcode) {
    case WSLAY_CONNECTION_CLOSE:
        return take_close(ws);
    case WSLAY_PING:
        ws->has_ping = 1;
        ws->ping_len = ws->control_len;
        memcpy(ws->ping, ws->control, ws->control_len);
        return 0;
    case WSLAY_PONG:
        return 0;
    default:
        return end_message(ws);
    }
}

/* One piece of a frame. 0 goes on; -1 more bytes are needed; else the code. */
static int read_piece(bl_ws_t *ws, bl_ms_t now)
{
    struct wslay_frame_iocb f;
    ssize_t n;
    int code = 0;

    memset(&f, 0, sizeof(f));
    n = wslay_frame_recv(ws->frames, &f);
    if (n == WSLAY_ERR_WANT_READ) return -1;
    if (n == WSLAY_ERR_PROTO) return BL_WS_PROTOCOL;
    if (n < 0) return BL_WS_INTERNAL;
    ws->heard_ms = now;
    if (!ws->is_in_frame) code = begin_frame(ws, &f, now);
    if (!code) code = take_payload(ws, (const char *)f.data, f.data_length);
    if (!code && !ws->rest) code = end_frame(ws);
    return code;
}

void bl_ws_feed(bl_ws_t *ws, const char *data, size_t len, bl_ms_t now,
                bl_buf_t *out)
{
    int code = 0;

    if (ws->got_code || !len) return;
    ws->in = data;
    ws->in_len = len;
    if (!open_frames(ws)) code = BL_WS_INTERNAL;
    while (!code && !ws->got_code)
        code = read_piece(ws, now);
    if (ws->has_ping && !ws->sent_code && !ws->got_code) {
        put_frame(out, WSLAY_PONG, ws->ping, ws->ping_len);
    }
    ws->has_ping = 0;
    if (code > 0) {
        /* What stands behind it is not read: it counts as the peer's end. */
        bl_ws_close(ws, out, code, NULL);
        ws->got_code = BL_WS_LOST;
    }
    else if (ws->got_code) {
        bl_ws_close(ws, out, ws->got_code, NULL);
    }
    if (ws->got_code || (!ws->is_in_frame && !ws->unread)) forget_frames(ws);
}

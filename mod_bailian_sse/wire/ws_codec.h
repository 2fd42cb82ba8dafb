/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_codec - bytes of a WebSocket connection <-> messages (RFC 6455), the
 * server's side. Frames are read by libwslay; what they may be, is decided
 * here: masked, no reserved bits, fragments in order, text valid UTF-8 at the
 * first bad byte, sizes and rates within limits (fault rows C19, C20).
 *
 * Whatever is wrong ends in a Close frame with the code of RFC 6455 7.4.1,
 * appended to `out` like everything that is to be sent; nothing is read after
 * it but the peer's own Close.
 *
 * OWNERSHIP  the struct is the caller's; release() frees what it holds. Between
 *            two frames nothing but the struct is held.
 * THREADS    none: one owner at a time.
 * ERRORS     a put that the buffer cannot take leaves the buffer marked.
 */
#ifndef BL_WS_CODEC_H
#define BL_WS_CODEC_H

#include "base/buf.h"

/* Close codes: fault-matrix.md 1.2. */
enum {
    BL_WS_NORMAL = 1000,
    BL_WS_PROTOCOL = 1002,
    BL_WS_NO_CODE = 1005, /* a Close frame without one; never sent */
    BL_WS_LOST = 1006,    /* no Close frame at all; never sent */
    BL_WS_BAD_TEXT = 1007,
    BL_WS_POLICY = 1008,
    BL_WS_TOO_BIG = 1009,
    BL_WS_INTERNAL = 1011,
    BL_WS_RESTART = 1012,
    BL_WS_OVERLOADED = 1013
};

typedef struct bl_ws_limits_t {
    size_t message_bytes;
    int frames_of_message;
    int controls_per_second;
} bl_ws_limits_t;

/* A whole message; data is borrowed for the call. */
typedef void bl_ws_message_fn(void *ctx, const char *data, size_t len,
                              int is_text);

typedef struct bl_ws_t {
    bl_ws_limits_t limits;
    bl_ws_message_fn *message;
    void *ctx;

    int sent_code;    /* of our Close frame; 0 = none was sent */
    int got_code;     /* of the peer's, BL_WS_NO_CODE when it named none; 0 */
    bl_ms_t heard_ms; /* a frame was read */

    /* reading */
    void *frames; /* libwslay's, only while a frame is being read */
    const char *in;
    size_t in_len;
    apr_uint64_t
        unread;        /* bytes libwslay took for a header that is not whole */
    apr_uint64_t rest; /* of the frame's payload */
    int is_in_frame;
    unsigned char opcode; /* of the frame */
    int is_fin;
    bl_buf_t text;     /* the message so far */
    size_t valid;      /* of it: checked to be UTF-8 */
    int is_in_message; /* between its first frame and its last */
    int is_text;
    int frame_count;
    char control[126]; /* payload of a control frame so far */
    size_t control_len;
    bl_ms_t second; /* in which controls are counted */
    int control_count;
    int has_ping; /* one is to be answered: the last, RFC 6455 5.5.3 */
    char ping[126];
    size_t ping_len;
} bl_ws_t;

void bl_ws_init(bl_ws_t *ws, const bl_ws_limits_t *limits,
                bl_ws_message_fn *message, void *ctx);
void bl_ws_release(bl_ws_t *ws);

/* Bytes of the peer, cut anywhere. Pongs and a Close go to out. */
void bl_ws_feed(bl_ws_t *ws, const char *data, size_t len, bl_ms_t now,
                bl_buf_t *out);

/* Both have said Close, or the peer need not be waited for any more. */
int bl_ws_is_over(const bl_ws_t *ws);

/* Once; later calls do nothing. reason: at most 123 bytes of UTF-8, or NULL. */
void bl_ws_close(bl_ws_t *ws, bl_buf_t *out, int code, const char *reason);

/* --- frames to be sent -----------------------------------------------------
 */
apr_status_t bl_ws_put_text(bl_buf_t *out, const char *text, size_t len);
apr_status_t bl_ws_put_binary(bl_buf_t *out, const char *data, size_t len);
apr_status_t bl_ws_put_ping(bl_buf_t *out);

#endif

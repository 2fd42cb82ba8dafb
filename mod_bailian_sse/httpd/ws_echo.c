/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_echo - GET {base}/ws/echo sends every message back as it came, so that a
 * conformance suite can be pointed at the codec. Only in builds that were
 * configured with --enable-ws-echo.
 */
#include "ws_socket.h"

static apr_status_t echo_open(bl_socket_t *s)
{
    (void)s;
    return APR_SUCCESS;
}

static void echo_message(bl_socket_t *s, const char *text, size_t len)
{
    if (s->is_text)
        bl_ws_put_text(&s->out, text, len);
    else
        bl_ws_put_binary(&s->out, text, len);
}

static int echo_too_many(bl_socket_t *s, int is_first)
{
    (void)is_first;
    bl_socket_close(s, BL_WS_POLICY, "rate_limited");
    return 0;
}

/* It reads no stream. */
static void echo_event(bl_socket_t *s, bl_ws_reader_t *r, const bl_event_t *ev)
{
    (void)s;
    (void)r;
    (void)ev;
}

static void echo_reconnect(bl_socket_t *s, bl_ws_reader_t *r)
{
    (void)s;
    (void)r;
}

static void echo_release(bl_socket_t *s)
{
    (void)s;
}

const bl_ws_kind_t bl_ws_echo = {
    "echo",         0,    echo_open,   echo_message, echo_too_many, echo_event,
    echo_reconnect, NULL, echo_release};

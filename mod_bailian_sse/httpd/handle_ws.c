/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_ws - the WebSocket handshake on {base}/ws, {base}/ws/chat and their
 * older names {base}/websocket/..., up to the moment when the connection is
 * parked or its thread begins to serve it.
 */
#include "handlers.h"
#include "sink.h"
#include "ws_socket.h"
#include "shm/sockets.h"
#include "wire/ws_handshake.h"

#include <string.h>

static const bl_ws_kind_t *kind_of(const char *route)
{
    const char *slash = strchr(route, '/');

    if (!slash || !slash[1]) return &bl_ws_talk;
#ifdef BL_WS_ECHO
    if (!strcmp(slash, "/echo")) return &bl_ws_echo;
#endif
    return !strcmp(slash, "/chat") ? &bl_ws_text : NULL;
}

static const char *header(request_rec *r, const char *name)
{
    return apr_table_get(r->headers_in, name);
}

/* A body would lie where the first frame is expected. An extended CONNECT has
 * none (RFC 8441): mod_http2 calls what follows chunked. */
static int has_body(request_rec *r)
{
    const char *length = header(r, "Content-Length");

    return (length && strcmp(length, "0")) ||
           (header(r, "Transfer-Encoding") && !r->connection->master);
}

static apr_status_t check_handshake(request_rec *r, char *accept)
{
    bl_ws_ask_t ask;

    ask.upgrade = header(r, "Upgrade");
    ask.connection = header(r, "Connection");
    ask.version = header(r, "Sec-WebSocket-Version");
    ask.key = header(r, "Sec-WebSocket-Key");
    /* mod_http2 has read it from the pseudo-header :protocol. */
    if (r->connection->master) ask.connection = "Upgrade";
    if (has_body(r)) {
        r->connection->keepalive = AP_CONN_CLOSE;
        return BL_E_BAD_HEADER;
    }
    return r->proto_num < HTTP_VERSION(1, 1) ? BL_E_UPGRADE_REQUIRED
                                             : bl_ws_handshake(&ask, accept);
}

static int refuse(request_rec *r, bl_call_t *call, apr_status_t rv)
{
    if (rv == BL_E_UPGRADE_REQUIRED) {
        apr_table_setn(r->headers_out, "Upgrade", "websocket");
        apr_table_setn(r->headers_out, "Connection", "Upgrade");
        apr_table_setn(r->headers_out, "Sec-WebSocket-Version", BL_WS_VERSION);
    }
    return bl_call_problem(r, call, rv, NULL);
}

/* S-22: a login that a browser sends by itself needs an Origin that was
 * looked at; programs without one bring their credential along. */
static apr_status_t check_origin(request_rec *r)
{
    return !header(r, "Origin") && header(r, "Cookie") && r->user &&
                   !header(r, "Authorization")
               ? BL_E_ORIGIN_REFUSED
               : APR_SUCCESS;
}

static apr_status_t take_place(request_rec *r, const bl_call_t *call, int *slot)
{
    const bl_server_conf_t *conf = bl_server_conf(r->server);
    bl_sockets_ask_t ask;

    *slot = -1;
    if (bl_engine_is_draining(call->engine)) return BL_E_DRAINING;
    ask.child = bl_engine_child(call->engine);
    ask.principal_hash = bl_hash(call->principal.text, "");
    ask.most_all =
        conf->sockets_all != BL_UNSET ? conf->sockets_all : BL_SOCKETS_ALL;
    ask.most_of_principal = call->conf.sockets_per_principal;
    return bl_sockets_join(bl_engine_shm(call->engine), &ask, slot);
}

/* From here on the connection is no HTTP any more: connection filters only. */
static void switch_protocols(request_rec *r, const char *accept)
{
    conn_rec *c = r->connection;
    bl_ws_protocols_t protocols;

    bl_ws_protocols(&protocols, header(r, "Sec-WebSocket-Protocol"));
    apr_table_clear(r->headers_out);
    apr_table_setn(r->headers_out, "Upgrade", "websocket");
    apr_table_setn(r->headers_out, "Connection", "Upgrade");
    apr_table_set(r->headers_out, "Sec-WebSocket-Accept", accept);
    if (protocols.answer_len) {
        apr_table_setn(
            r->headers_out, "Sec-WebSocket-Protocol",
            apr_pstrmemdup(r->pool, protocols.answer, protocols.answer_len));
    }
    r->status = HTTP_SWITCHING_PROTOCOLS;
    r->status_line = "101 Switching Protocols";
    c->keepalive = AP_CONN_CLOSE;
    ap_send_interim_response(r, 1);
    /* It would take a quiet client for a slow one. */
    ap_remove_input_filter_byhandle(c->input_filters, "reqtimeout");
    r->input_filters = r->proto_input_filters = c->input_filters;
    r->output_filters = r->proto_output_filters = c->output_filters;
}

static int serve(request_rec *r, bl_call_t *call, const bl_ws_kind_t *kind,
                 const char *accept, int slot)
{
    bl_socket_t *s;
    apr_status_t rv = bl_socket_create(&s, call, kind);
    int rc = DECLINED;

    if (rv != APR_SUCCESS) {
        bl_sockets_leave(bl_engine_shm(call->engine), slot);
        return bl_call_problem(r, call, rv == APR_ENOMEM ? BL_E_OVERLOADED : rv,
                               NULL);
    }
    s->slot = slot;
    s->client = r->useragent_ip;
    s->request_id = bl_call_request_id(r);
    switch_protocols(r, accept);
    bl_sink_expect_acks(r->connection, call->conf.slow_ms);
    if (call->conf.async != BL_ASYNC_SYNC) rc = bl_ws_park(r, s);
    return rc == DECLINED ? bl_ws_run_sync(r, s) : rc;
}

int bl_handle_ws(request_rec *r, bl_call_t *call)
{
    const bl_ws_kind_t *kind = kind_of(call->route);
    char accept[BL_WS_ACCEPT_BYTES];
    apr_status_t rv;
    int rc, slot;

    if (!kind) return bl_call_problem(r, call, BL_E_NOT_FOUND, NULL);
    if (!bl_call_method_is(r, call, "GET", &rc)) return rc;
    rv = check_handshake(r, accept);
    if (rv == APR_SUCCESS) rv = check_origin(r);
    if (rv == APR_SUCCESS) rv = bl_call_who(r, call, NULL);
    if (rv == APR_SUCCESS) rv = take_place(r, call, &slot);
    if (rv != APR_SUCCESS) return refuse(r, call, rv);
    return serve(r, call, kind, accept, slot);
}

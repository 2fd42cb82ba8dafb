/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handlers - one URL space each; all run on the request's thread and answer
 * what an httpd handler answers.
 */
#ifndef BL_HANDLERS_H
#define BL_HANDLERS_H

#include "request.h"
#include "base/asset.h"

int bl_handle_ask(request_rec *r, bl_call_t *call); /* stream */
/* Asks this app as the caller, who is known already, and streams the answer;
 * conversation may be NULL. */
int bl_ask_app(request_rec *r, bl_call_t *call, const char *app,
               const char *message, const char *conversation);

/* handle_session.c: miniapp-stream, api/chat/{stream,poll,sync} */
int bl_handle_miniapp(request_rec *r, bl_call_t *call);
int bl_handle_session_start(request_rec *r, bl_call_t *call);
int bl_handle_session_poll(request_rec *r, bl_call_t *call);
int bl_handle_session_sync(request_rec *r, bl_call_t *call);

int bl_handle_streams(request_rec *r, bl_call_t *call); /* streams/... */
int bl_handle_conversations(request_rec *r, bl_call_t *call);
int bl_handle_ws(request_rec *r, bl_call_t *call); /* ws, ws/chat */
int bl_handle_tickets(request_rec *r, bl_call_t *call);
int bl_handle_health(request_rec *r, bl_call_t *call);
int bl_handle_assets(request_rec *r, bl_call_t *call); /* the base, chat/... */

int bl_handle_admin(request_rec *r, bl_call_t *call); /* bailian-admin */

/* A compiled-in file with the headers of S-25, "" = index.html; DECLINED:
 * there is none of that name. */
int bl_serve_asset(request_rec *r, const bl_asset_t *table, int count,
                   const char *name);

/* The headers of S-25 that every answer of a page's Location has. */
void bl_set_policy(request_rec *r);

/* Redirects to `what` below the path that was asked for. */
int bl_send_below(request_rec *r, const char *what);

/* Serves stream (a reference, taken over) from after on, as the location is
 * configured and call->form says. */
int bl_serve_stream(request_rec *r, bl_call_t *call, bl_stream_t *s,
                    apr_uint64_t after, const char *as);

/* Finds a stream wherever it is (this child, another one, the store), checks
 * that it is the caller's, and serves it. */
int bl_resume_stream(request_rec *r, bl_call_t *call, const char *id,
                     apr_uint64_t after, const char *as);

#endif

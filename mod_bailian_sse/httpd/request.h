/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request - request_rec -> plain call: the route, the bounded body, the
 * principal; and how an error is said (RFC 9457 problem documents).
 *
 * OWNERSHIP  everything in r->pool.
 * THREADS    the request's.
 */
#ifndef BL_REQUEST_H
#define BL_REQUEST_H

#include "config.h"
#include "auth/caller.h"
#include "base/json.h"
#include "base/say.h"
#include "wire/chat_writer.h"

/* How the caller wants to be answered: ?pace=, ?wait=, ?ascii=. */
typedef struct bl_form_t {
    bl_ms_t pace_ms;
    bl_ms_t wait_ms;
    int is_ascii;
    int wants_whole; /* of the text, not only what came since */
} bl_form_t;

typedef struct bl_call_t {
    bl_engine_t *engine;
    bl_dir_conf_t conf; /* effective */
    const char *base;   /* {base}, "" when the handler is set elsewhere */
    const char *route;  /* behind {base}/, without a slash in front */
    apr_table_t *query;
    unsigned needs; /* scopes (store/clients.h) that the route asks for */
    bl_caller_t caller;
    bl_principal_t principal; /* the caller's, once he is known */
    apr_uint32_t removals;    /* when the request came (shm/removals.h) */
    bl_lang_t lang;
    bl_form_t form;
    int is_session; /* errors as the mini-program family says them */
    int is_body_read;
    json_t *json; /* of the body; until forget_json */
} bl_call_t;

/* Fills in everything but the principal. */
void bl_call_init(request_rec *r, bl_call_t *call, bl_engine_t *e);

/* The hook: what lies below our Locations is no file, so no directory is
 * walked and no .htaccess looked for. */
int bl_call_map_to_storage(request_rec *r);

/* Does the path lie below one of our Locations, however it is spelled? */
int bl_call_is_ours(request_rec *r);

/* Who asks (who.c): httpd's user, a credential, a ticket, else client_id where
 * anonymous callers are let in. BL_E_FORBIDDEN: known, but without a scope
 * that the route needs. Once known he stays: a ticket is used up. */
apr_status_t bl_call_who(request_rec *r, bl_call_t *call,
                         const char *client_id);

/* Before a body that may name an anonymous caller is read: everybody else is
 * known, or refused, from here on (S-57). */
apr_status_t bl_call_let_in(request_rec *r, bl_call_t *call);

/* The WebSocket subprotocol to answer with when it carries a credential
 * ("Bearer", or the token itself where it was the only one), else NULL. */
const char *bl_call_subprotocol(request_rec *r, const char **pcredential);

/* Monotonic: when the caller's credential ends; 0 = never (S-20). */
bl_ms_t bl_call_expiry(const bl_call_t *call);

/* What a ticket is bound to. */
apr_uint64_t bl_call_route_hash(const bl_call_t *call, const char *route);

/* What the caller, or a proxy before us, calls this request: X-Request-Id when
 * it is one word of visible ASCII, else mod_unique_id's; NULL: neither. */
const char *bl_call_request_id(request_rec *r);

/* Fills in call->form; *pfield names a parameter that is wrong. */
apr_status_t bl_call_read_form(bl_call_t *call, const char **pfield);

/* A number of an event as clients write it. */
apr_status_t bl_call_seq(const char *text, apr_uint64_t *pseq);

int bl_call_has_body(request_rec *r);

/* The whole JSON body, an object; freed with r->pool. *pdetail (may stay
 * NULL) says what is wrong in words. */
apr_status_t bl_call_json(request_rec *r, bl_call_t *call, json_t **pbody,
                          const char **pdetail);

/* The body is not looked at any more, and the request goes on for long. */
void bl_call_forget_json(request_rec *r, bl_call_t *call);

/* The same, but without a body it is an empty object. */
apr_status_t bl_call_json_or_none(request_rec *r, bl_call_t *call,
                                  json_t **pbody, const char **pdetail);

/* Answers with the class of rv as a problem document. detail may be NULL. A
 * body that was not read closes the connection: no request hides in it, and
 * who may not ask cannot make us read (C07, S-54). */
int bl_call_problem(request_rec *r, bl_call_t *call, apr_status_t rv,
                    const char *detail);

/* The same; field (or NULL) names the member or parameter that is meant. */
int bl_call_problem_at(request_rec *r, bl_call_t *call, apr_status_t rv,
                       const char *field, const char *detail);

/* The same with a sentence of base/say.h, in the caller's language, and its
 * code. */
int bl_call_problem_said(request_rec *r, bl_call_t *call, apr_status_t rv,
                         const bl_complaint_t *why);

/* Even without memory for more than httpd's own: the head says which error it
 * is, and what is answered is to be its body. */
const char *bl_call_least_problem(request_rec *r, int is_session,
                                  bl_lang_t lang, const bl_error_t *e);

/* Seconds from now that a client who may retry is told: not all at once. */
void bl_call_put_retry(request_rec *r, const bl_error_t *e);

/* Answers 200 (or status) with a JSON text. */
int bl_call_answer(request_rec *r, int status, const char *type,
                   const char *text, size_t len);

/* The same of what was made with rv in a buffer, which is released. What is
 * not whole, for want of memory, is a problem. */
int bl_call_answer_made(request_rec *r, bl_call_t *call, apr_status_t rv,
                        int status, const char *type, bl_buf_t *made);

/* The same as a file to be saved. name is a fixed one: nothing of a title
 * reaches a header (S-27). */
int bl_call_answer_file(request_rec *r, bl_call_t *call, apr_status_t rv,
                        const char *type, const char *name, bl_buf_t *made);

/* Only these methods; else a problem with Allow is sent and 0 answered. */
int bl_call_method_is(request_rec *r, bl_call_t *call, const char *allowed,
                      int *prc);

#endif

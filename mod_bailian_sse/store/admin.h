/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin - upstreams, apps, API keys and the audit, as the admin API changes
 * and lists them: with the revision a change is based on, and with words for
 * what is wrong. bailianctl's calls in store.h are these without a revision.
 *
 * Each change writes its audit row in the same transaction (A09, S-74). Other
 * processes have it when they catch up (the catalog, store.h).
 *
 * OWNERSHIP  rows are new references.
 * THREADS    any but the reactor.
 * ERRORS     those of store.h, and BL_E_VERSION_CONFLICT: the row has another
 *            revision, nothing was changed (A01).
 */
#ifndef BL_STORE_ADMIN_H
#define BL_STORE_ADMIN_H

#include "base/say.h"
#include "store/store.h"

#include <jansson.h>

/* What is wrong: with which member, and what would be right. */
typedef struct bl_change_t {
    apr_int64_t revision; /* that it is based on; 0: any */
    apr_int64_t present;  /* out: the row's, also when it conflicts */
    bl_complaint_t why;   /* out; said: also a notice on success */
} bl_change_t;

apr_status_t bl_store_do_upstream_change(bl_store_t *s,
                                         const bl_admin_who_t *who,
                                         const char *name, const char *fields,
                                         bl_put_mode_t mode,
                                         bl_change_t *change);
apr_status_t bl_store_do_upstream_drop(bl_store_t *s, const bl_admin_who_t *who,
                                       const char *name, bl_change_t *change);
apr_status_t bl_store_do_app_change(bl_store_t *s, const bl_admin_who_t *who,
                                    const char *name, const char *fields,
                                    bl_put_mode_t mode, bl_change_t *change);
apr_status_t bl_store_do_app_drop(bl_store_t *s, const bl_admin_who_t *who,
                                  const char *name, bl_change_t *change);

/* --- keys --------------------------------------------------------------- */

/* A key to be made; fields: a JSON object with weight, priority, apps, models,
 * account, note; name apart. */
typedef struct bl_new_key_t {
    const char *upstream, *name, *secret, *fields;
    int is_disabled;
    apr_int64_t id;     /* out */
    int was_waiting;    /* out: it took the place of one to be reentered */
    char last4[5];      /* out */
    apr_status_t rv;    /* out, of an import: APR_SUCCESS or its class */
    bl_complaint_t why; /* out */
} bl_new_key_t;

/* All or none, in one transaction; is_dry_run: none, but all is checked. */
apr_status_t bl_store_do_keys_new(bl_store_t *s, const bl_admin_who_t *who,
                                  bl_new_key_t *keys, int count,
                                  int is_dry_run);

apr_status_t bl_store_do_key_change(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id, const char *fields,
                                    bl_change_t *change);
apr_status_t bl_store_do_key_replace(bl_store_t *s, const bl_admin_who_t *who,
                                     apr_int64_t id, const char *secret,
                                     bl_change_t *change);
apr_status_t bl_store_do_key_enable(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id, int is_enabled,
                                    bl_change_t *change);
apr_status_t bl_store_do_key_drop(bl_store_t *s, const bl_admin_who_t *who,
                                  apr_int64_t id, bl_change_t *change);

/* A key and where it is sent: what a test needs. malloc'd. */
typedef struct bl_key_target_t {
    bl_key_t key; /* id, version and sealed only */
    char *base_url, *workspace, *ca_file, *proxy;
    int use_http2;
} bl_key_target_t;

/* BL_E_CONFLICT: it must be entered again first (S-34). */
apr_status_t bl_store_key_target(bl_store_t *s, apr_int64_t id,
                                 bl_key_target_t **pt);
void bl_key_target_free(bl_key_target_t *t);

/* How a test of a key went: APR_SUCCESS or its class. */
typedef struct bl_key_check_t {
    apr_int64_t key_id;
    apr_status_t rv;
    int status; /* HTTP, 0: none came */
    bl_ms_t latency_ms;
} bl_key_check_t;

/* Keeps the newest of a key; one that is gone meanwhile is left out. */
apr_status_t bl_store_do_key_checked(bl_store_t *s, const bl_admin_who_t *who,
                                     const bl_key_check_t *checks, int count);

/* --- lists -------------------------------------------------------------- */

/* Rows of a page, or one; all NULL and 0: from the beginning, without end. */
typedef struct bl_list_ask_t {
    const char *name;     /* only this upstream or app */
    apr_int64_t id;       /* only this key */
    const char *upstream; /* keys of this one */
    const char *q;        /* part of a key's name, note, account or last4 */
    const char *after;    /* upstreams, apps: names behind this one */
    apr_int64_t after_id; /* keys: ids above this one */
    int limit;            /* 0: all */
} bl_list_ask_t;

/* By name. What counts is added: keys {enabled, disabled, reenter}, apps. */
apr_status_t bl_store_upstream_rows(bl_store_t *s, const bl_list_ask_t *ask,
                                    json_t **prows);
apr_status_t bl_store_app_rows(bl_store_t *s, const bl_list_ask_t *ask,
                               json_t **prows);
/* By id; with sealVersion (the revision of the secret), the newest check and
 * sums of usage. */
apr_status_t bl_store_key_rows(bl_store_t *s, const bl_list_ask_t *ask,
                               json_t **prows);

/* --- audit -------------------------------------------------------------- */

/* A row by itself: for what changes nothing here (a test, a restore), or was
 * refused (outcome "refused", else "done"). */
apr_status_t bl_store_do_audit(bl_store_t *s, const bl_admin_who_t *who,
                               const char *action, const char *object,
                               const char *detail, const char *outcome);

/* All of it NULL and 0: everything, the newest first. */
typedef struct bl_audit_ask_t {
    const char *actor, *action, *object, *outcome; /* action: may end in '*' */
    const char *q;       /* part of object or detail */
    apr_time_t from, to; /* to: exclusive */
    apr_int64_t before;  /* ids below this one */
    int limit;
} bl_audit_ask_t;

apr_status_t bl_store_audit_rows(bl_store_t *s, const bl_audit_ask_t *ask,
                                 json_t **prows);

#endif

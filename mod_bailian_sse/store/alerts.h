/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alerts - who is told by a webhook when something goes wrong: rules, where
 * to, and until when it is silent. The URL of a webhook is a secret (it holds
 * a token): sealed as API keys are, and only its host is shown.
 *
 * OWNERSHIP  rows are new references; a bl_alert_t of the catalog is the
 *            catalog's, one of bl_store_alert() the caller's.
 * THREADS    any but the reactor; a catalog's are read by any.
 * ERRORS     as of admin.h.
 */
#ifndef BL_STORE_ALERTS_H
#define BL_STORE_ALERTS_H

#include "store/admin.h"

#define BL_ALERTS_MOST 32

struct bl_alert_t {
    apr_int64_t id;
    apr_int64_t version; /* of the seal */
    char name[BL_NAME_BYTES];
    char shape[16]; /* "generic", "dingtalk", "wecom", "feishu" */
    int is_enabled;
    unsigned char *sealed; /* its URL: bl_alert_open() */
    size_t sealed_len;
    char *ca_file, *proxy; /* NULL: none */
    int window_s;
    int error_percent; /* -1: no such rule; likewise first_content_ms */
    int streams_least;
    bl_ms_t first_content_ms;
    int has_keys, has_store;
    int repeat_minutes; /* -1: told once */
    apr_time_t silenced_until;
};

/* Opens the URL; bl_secret_free(). */
apr_status_t bl_alert_open(const bl_keyring_t *k, const bl_alert_t *a,
                           char **purl);

/* url NULL: stays (or is missing, of a new one). fields: a JSON object. */
apr_status_t bl_store_do_alert_new(bl_store_t *s, const bl_admin_who_t *who,
                                   const char *fields, const char *url,
                                   apr_int64_t *pid, bl_change_t *change);
apr_status_t bl_store_do_alert_change(bl_store_t *s, const bl_admin_who_t *who,
                                      apr_int64_t id, const char *fields,
                                      const char *url, bl_change_t *change);
apr_status_t bl_store_do_alert_drop(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id, bl_change_t *change);

/* until 0: no longer. Changes no revision. */
apr_status_t bl_store_do_alert_silence(bl_store_t *s, const bl_admin_who_t *who,
                                       apr_int64_t id, apr_time_t until);

/* Audited before it is tried. */
apr_status_t bl_store_do_alert_test(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id);

/* All, by id; id 0, or this one. */
apr_status_t bl_store_alert_rows(bl_store_t *s, apr_int64_t id, json_t **prows);

/* One as the catalog has it, but as it is now. */
apr_status_t bl_store_alert(bl_store_t *s, apr_int64_t id, bl_alert_t **pa);
void bl_alert_free(bl_alert_t *a);

#endif

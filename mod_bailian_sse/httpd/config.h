/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what httpd.conf says: structs, defaults, create, merge, checks
 * between directives.
 *
 * OWNERSHIP  everything in pconf.
 * THREADS    read-only once the configuration was read.
 */
#ifndef BL_CONFIG_H
#define BL_CONFIG_H

#include "httpd_private.h"
#include "engine/engine.h"

#define BL_UNSET (-1) /* a value of its own: "nobody said anything" */

typedef enum { BL_ASYNC_AUTO, BL_ASYNC_SYNC } bl_async_t;

/* Who may read the metrics. */
typedef enum {
    BL_METRICS_ADMIN,
    BL_METRICS_LOCATION,
    BL_METRICS_OFF
} bl_metrics_t;

/* Of the main server; virtual hosts share it. */
typedef struct bl_server_conf_t {
    const char *database;
    const char *master_key;
    int streams_per_child;
    int streams_all;
    int sockets_all;
    bl_ms_t drain_ms;
    apr_int64_t memory_budget; /* bytes; 0 = none */
    bl_allowed_t allowed;
    apr_array_header_t *bases; /* const char *: Locations of the handler */
} bl_server_conf_t;

/* Of a Location. */
typedef struct bl_dir_conf_t {
    int is_anonymous;
    int has_chat_page;
    int async;   /* bl_async_t */
    int metrics; /* bl_metrics_t */
    const char *app;
    apr_array_header_t *roles;        /* BailianAdminRole; NULL: no line */
    const struct bl_client_t *client; /* the caller: his limits go first */
    apr_array_header_t *issuers;      /* bl_jwt_issuer_t; NULL: no line */
    apr_array_header_t *origins;      /* const char *; NULL: no line */
    apr_array_header_t *routes;       /* of routes.c; NULL: no line */
    int has_credentials;
    int is_query_token;
    int starts_per_minute, starts_per_address; /* 0 = any number */
    apr_int64_t tokens_per_day;
    bl_ms_t session_ms;
    bl_ms_t heartbeat_first_ms, heartbeat_ms;
    bl_ms_t connect_ms, first_content_ms, gap_ms, total_ms;
    int pace; /* bl_pace_t */
    int retries;
    bl_ms_t retry_ms;
    int policy; /* bl_policy_t */
    bl_ms_t detach_ms;
    apr_int64_t queue_bytes;
    bl_ms_t slow_ms;
    int streams_per_principal;
    apr_int64_t body_bytes;
    int sockets_per_principal;
    apr_int64_t ws_message_bytes;
    int ws_frames, ws_controls, ws_rate;
    bl_ms_t ws_beat_ms, ws_idle_ms;
} bl_dir_conf_t;

void *bl_server_conf_create(apr_pool_t *p, server_rec *s);
void *bl_server_conf_merge(apr_pool_t *p, void *base, void *add);
void *bl_dir_conf_create(apr_pool_t *p, char *dir);
void *bl_dir_conf_merge(apr_pool_t *p, void *base, void *add);

/* What holds where nothing was said: a copy with every value set. */
bl_dir_conf_t bl_dir_conf_effective(const bl_dir_conf_t *conf);

/* How an answer is asked for; of an effective configuration. */
bl_limits_t bl_dir_conf_limits(const bl_dir_conf_t *conf);

bl_server_conf_t *bl_server_conf(server_rec *s);
bl_dir_conf_t *bl_dir_conf(request_rec *r);

/* Finds the Locations that have the handler: routes are relative to them. */
void bl_conf_find_bases(apr_pool_t *p, bl_server_conf_t *conf,
                        const ap_directive_t *tree);

/* check_config: what no single directive can see. NULL or the sentence. */
const char *bl_conf_check(apr_pool_t *p, const bl_server_conf_t *conf);

/* How many of these warnings the last start gave. */
int bl_conf_mpm_warnings(void);

/* Bytes that streams of all children may hold; 0 = any number. */
apr_uint64_t bl_conf_budget(const bl_server_conf_t *conf);

/* After start: warnings about an MPM that cannot carry what is configured. */
void bl_conf_warn_mpm(server_rec *s, const bl_server_conf_t *conf);

extern const command_rec bl_directives[];

#endif

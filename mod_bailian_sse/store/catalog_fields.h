/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog_fields - the fields of upstreams, apps and API keys: one table
 * each, and their columns in the same order.
 *
 * THREADS  constants.
 */
#ifndef BL_CATALOG_FIELDS_H
#define BL_CATALOG_FIELDS_H

#include "store/fields.h"

extern const bl_field_t bl_upstream_fields[];
extern const bl_field_t bl_app_fields[];
extern const bl_field_t bl_key_fields[];

#define BL_UPSTREAM_COLUMNS                                                    \
    "kind, base_url, workspace, ca_file, proxy, use_http2, region, note,"      \
    " connect_ms, first_content_ms, gap_ms, total_ms"
#define BL_UPSTREAM_FIELDS 12

/* a is the app, u its upstream. */
#define BL_APP_COLUMNS                                                         \
    "u.name, a.app_id, a.is_default, a.is_incremental, a.has_thoughts,"        \
    " a.enable_thinking, a.flow_mode, a.answer_nodes, a.parameters,"           \
    " a.workspace, a.connect_ms, a.first_content_ms, a.gap_ms, a.total_ms,"    \
    " a.retries, a.policy, a.note, a.heartbeat_first_ms, a.heartbeat_ms,"      \
    " a.retry_pace, a.retry_ms, a.principal_streams, a.queue_bytes"
#define BL_APP_FIELDS 23

/* k is the key. */
#define BL_KEY_COLUMNS                                                         \
    "k.name, k.weight, k.priority, k.apps, k.models, k.account, k.note"
#define BL_KEY_FIELDS 7

#endif

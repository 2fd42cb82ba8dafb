/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bl - names, forward declarations, ceilings and defaults all layers share.
 *
 * Every number that bounds something stands here and nowhere else, with the
 * fault row or protocol page it comes from.
 */
#ifndef BL_H
#define BL_H

#include <stddef.h>
#include <apr.h>
#include <apr_errno.h>
#include <apr_time.h>

#define BL_VERSION "0.1.0"

typedef struct bl_budget_t bl_budget_t;
typedef struct bl_buf_t bl_buf_t;
typedef struct bl_event_t bl_event_t;
typedef struct bl_journal_t bl_journal_t;
typedef struct bl_cursor_t bl_cursor_t;
typedef struct bl_stream_t bl_stream_t;
typedef struct bl_registry_t bl_registry_t;
typedef struct bl_reactor_t bl_reactor_t;
typedef struct bl_store_t bl_store_t;
typedef struct bl_keyring_t bl_keyring_t;
typedef struct bl_catalog_t bl_catalog_t;
typedef struct bl_shm_t bl_shm_t;

/* Milliseconds of the monotonic clock (clock.h); never wall time. */
typedef apr_int64_t bl_ms_t;

/* --- ceilings (fault-matrix.md 1.4 unless said otherwise) --------------- */
#define BL_MAX_BODY_BYTES (1024 * 1024)
#define BL_MAX_JSON_DEPTH 32
#define BL_MAX_MESSAGES 256
#define BL_MAX_HEADER_BYTES (8 * 1024)
#define BL_MAX_TOKEN_BYTES (8 * 1024)
#define BL_MAX_EVENT_BYTES (1024 * 1024)
#define BL_CEIL_EVENT_BYTES (16 * 1024 * 1024)
#define BL_MAX_ANSWER_BYTES (8 * 1024 * 1024)
#define BL_MAX_UPSTREAM_HEADER_BYTES (256 * 1024) /* U27 */
#define BL_MAX_ERROR_BODY_BYTES (64 * 1024)       /* U08 */
#define BL_QUEUE_BYTES (256 * 1024)
#define BL_QUEUE_HIGH_PERCENT 80
#define BL_QUEUE_LOW_PERCENT 30
#define BL_SLOW_CLIENT_MS 60000
#define BL_PASS_BYTES (32 * 1024)       /* httpd-async.md 2.3 */
#define BL_EVENT_PART_BYTES (16 * 1024) /* U22: one event's text */
#define BL_STREAMS_PER_CHILD 4000
#define BL_STREAMS_ALL 10000
#define BL_STREAMS_PER_PRINCIPAL 20
#define BL_STREAM_BYTES (64 * 1024) /* parked, all of it: benchmarks.md */
#define BL_BUDGET_LEAST (32 * 1024 * 1024) /* R03: the largest answer fits */
#define BL_BUDGET_HIGH_PERCENT 80          /* no new streams from there on */
#define BL_BUDGET_LOW_PERCENT 70           /* all is well again below */
#define BL_DIRECTORY_SLOTS 32768           /* twice the aim of design.md 9 */
#define BL_SOCKETS_ALL 1000
#define BL_SOCKETS_PER_PRINCIPAL 64
#define BL_SOCKET_PLACES 32768
#define BL_WS_MESSAGE_BYTES (1024 * 1024)
#define BL_WS_FRAMES 128
#define BL_WS_CONTROLS 10  /* a second */
#define BL_WS_MESSAGES 100 /* a minute: dialects.md 2 */
#define BL_WS_STREAMS 32   /* that one connection reads at once */
#define BL_PARTIAL_MS 2000
#define BL_PARTIAL_BYTES (8 * 1024)
#define BL_DRAIN_MS 30000
#define BL_ID_BYTES 16         /* a stream id: random and where it lives */
#define BL_ID_TEXT 32          /* ... as lower-case hex, without the NUL */
#define BL_PRINCIPAL_BYTES 128 /* text of a principal, with the NUL */
#define BL_ITEM_ID_BYTES 128   /* conversation and item ids, with the NUL */
#define BL_NAME_BYTES 128      /* names of apps, upstreams and keys */

/* --- defaults of directives (dialects.md 1) ----------------------------- */
#define BL_DEF_CONNECT_MS 5000
#define BL_DEF_HEARTBEAT_FIRST_MS 3000
#define BL_DEF_HEARTBEAT_MS 15000
#define BL_DEF_FIRST_CONTENT_MS 30000
#define BL_DEF_GAP_MS 60000
#define BL_DEF_TOTAL_MS (15 * 60 * 1000)
#define BL_DEF_RETRIES 3
#define BL_DEF_RETRY_FIXED_MS 2000
#define BL_DEF_RETRY_EXP_MS 1000
#define BL_DEF_DETACH_MS 60000
#define BL_DEF_WS_BEAT_MS 30000 /* dialects.md 2 */
#define BL_DEF_WS_IDLE_MS (5 * 60 * 1000)
#define BL_DEF_SESSION_MS 600000 /* dialects.md 3: a finished session */

#endif

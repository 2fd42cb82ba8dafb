/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_private - what the files of engine/ know of one another.
 */
#ifndef BL_ENGINE_PRIVATE_H
#define BL_ENGINE_PRIVATE_H

#include "engine.h"
#include "targets.h"
#include "watchdog.h"

typedef struct bl_live_t bl_live_t;
typedef struct bl_mirror_t bl_mirror_t;
typedef struct bl_peer_t bl_peer_t;
typedef struct bl_check_t bl_check_t;
typedef struct bl_notes_t bl_notes_t;
typedef struct bl_delivery_t bl_delivery_t;

struct bl_engine_t {
    bl_engine_conf_t conf;
    bl_reactor_t *reactor;
    bl_watchdog_t *watchdog;
    bl_registry_t *registry;
    bl_store_t *store;
    int child;
    int is_draining;           /* atomic */
    int is_refusing;           /* atomic: takes no question any more */
    bl_live_t *lives;          /* reactor: all, also those that end */
    bl_check_t *checks;        /* reactor: tests of keys (key_check.h) */
    bl_delivery_t *deliveries; /* reactor: messages of alerts (alerts.h) */
    bl_mirror_t *mirrors;      /* reactor: streams of other children */
    bl_peer_t *peers;          /* reactor: other children that read here */
    bl_notes_t *notes;         /* NULL: nobody listens (notes.h) */
    int remote_fd;
    bl_watch_t remote_watch; /* reactor */
    bl_letter_t remote_letter;
    apr_time_t wall_ahead; /* reactor: of the monotonic clock, at a tick */
    int idle_ticks;        /* reactor: since the last stream went */
    bl_timer_t tick;       /* reactor: housekeeping */
    bl_timer_t drain;      /* reactor */
    bl_letter_t open_letter;
    bl_letter_t drain_letter;
};

/* engine.c: the time of a drain is over. What a worker let in just before
 * begins after everything else was ended: it looks here (P04). */
int bl_engine_is_refusing(const bl_engine_t *e);

/* live.c */
void bl_live_rt_show_all(bl_engine_t *e); /* once a second */
void bl_live_rt_end_all(bl_engine_t *e, apr_status_t why);
void bl_live_rt_free_all(bl_engine_t *e); /* the reactor has stopped */

/* memory.c: what streams hold, and whether there is room for one more (R03) */
void bl_memory_join(bl_engine_t *e); /* as soon as it has its place in shm */
apr_status_t bl_memory_may_start(bl_engine_t *e);
/* It was short: said once until all is well again. Any thread. */
void bl_memory_tell(bl_engine_t *e);
void bl_memory_rt_tick(bl_engine_t *e);

/* remote.c */
void bl_remote_rt_end_all(bl_engine_t *e);
void bl_remote_rt_free_all(bl_engine_t *e); /* the reactor has stopped */

#endif

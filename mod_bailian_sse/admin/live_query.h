/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_query - which live streams somebody wants to see, and in what order
 * (docs/admin-api.md, "Live streams").
 *
 * What is found are copies: a stream may end, and its slot be taken by the
 * next one, while they are written out.
 *
 * THREADS  any; shared memory is read as it is, nothing is locked.
 */
#ifndef BL_LIVE_QUERY_H
#define BL_LIVE_QUERY_H

#include "shm/directory.h"

#define BL_LIVE_PAGE_MOST 500
#define BL_PHASES (BL_PHASE_ENDING + 1)

typedef enum {
    BL_SORT_AGE,
    BL_SORT_FIRST_CONTENT,
    BL_SORT_SILENT,
    BL_SORT_RATE,
    BL_SORT_BYTES,
    BL_SORT_EVENTS,
    BL_SORT_QUEUE,
    BL_SORT_HEARTBEATS,
    BL_SORT_ATTEMPT,
    BL_SORT_READERS,
    BL_SORT_APP,
    BL_SORT_OWNER,
    BL_SORT_PHASE
} bl_live_sort_t;

typedef struct bl_live_query_t {
    char app[64]; /* "" = any; so are the others */
    char user[BL_PRINCIPAL_BYTES];
    char key[8];
    char transport[12];
    char client[46];
    char text[BL_PRINCIPAL_BYTES]; /* part of any of these, or of the id */
    unsigned phases;               /* bits; 0 = all */
    bl_live_sort_t sort;
    int is_descending;
    int skip, limit;
} bl_live_query_t;

void bl_live_query_init(bl_live_query_t *q);

/* One parameter of docs/admin-api.md but limit, cursor and skip.
 * BL_E_BAD_VALUE: not a value of it; NULL is fine and changes nothing. */
apr_status_t bl_live_query_set(bl_live_query_t *q, const char *name,
                               const char *value);

/* The names that set() knows, NULL at the end. */
extern const char *const bl_live_query_names[];

typedef struct bl_live_found_t {
    int total;   /* streams that run */
    int matched; /* of these */
    int phases[BL_PHASES];
    int count; /* rows of the page */
    bl_slot_t *rows;
} bl_live_found_t;

/* rows is malloc'd; release() frees it. APR_ENOMEM. */
apr_status_t bl_live_find(const bl_shm_t *shm, const bl_live_query_t *q,
                          bl_ms_t now, bl_live_found_t *found);
void bl_live_found_release(bl_live_found_t *found);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_private - the store's insides, for the units of this directory only.
 *
 * OWNERSHIP  store.c makes and destroys all of it.
 * THREADS    fields without a note are set before the second thread starts.
 */
#ifndef BL_STORE_PRIVATE_H
#define BL_STORE_PRIVATE_H

#include "store/db.h"
#include "store/path.h"
#include "store/pending.h"
#include "store/readers.h"
#include "store/store.h"
#include "store/writer.h"

#include <pthread.h>

/* What the writer's thread knows of the retention. */
typedef struct bl_kept_t {
    int is_ours;         /* this process deletes */
    int wants_empty_log; /* atomic: deleted text still stands in the log */
    apr_int64_t conversations, streams; /* done in this pass, by us */
} bl_kept_t;

struct bl_store_t {
    char *path;
    int is_tool;
    bl_keyring_t *keyring;     /* may be NULL */
    bl_keyring_t *own_keyring; /* the same when we loaded it, else NULL */
    bl_lock_t *lock;
    bl_db_t *db;         /* writer's thread; with is_tool the caller's */
    bl_writer_t *writer; /* NULL with is_tool */
    bl_readers_t *readers;
    bl_pending_t pending;
    bl_path_identity_t identity; /* of the database file (D09) */
    apr_int64_t child_id;        /* 0 with is_tool */
    int is_guarded;
    int is_lost; /* atomic: another file lies at our path (D09) */
    pthread_mutex_t catalog_lock; /* guards the next field, and its refs */
    bl_catalog_t *catalog;
    pthread_mutex_t load_lock;   /* held to load; guards the next two fields */
    apr_int64_t catalog_version; /* of what was loaded */
    apr_uint64_t catalog_mark; /* atomic to read: when was looked, see lock.h */
    apr_int64_t told_version;  /* writer's thread: for which it was moved */
    int ticks;                 /* writer's thread */
    int is_entered;            /* writer's thread: by bl_keyrings_wt_enter() */
    bl_kept_t kept;            /* writer's thread */
};

#define BL_STORE_DO_WAIT_MS 10000
/* fault-matrix.md 1.4: request thread. A slow disk keeps an owner waiting, and
 * does not show him less than he was told before. */
#define BL_STORE_OWN_WAIT_MS 2000
#define BL_STORE_READ_WAIT_MS 2000

/* In a durable transaction on the writer's thread, or here with is_tool. */
apr_status_t bl_store_do(bl_store_t *s, bl_do_fn *fn, void *ctx);

/* A connection for reading, and back. Between the two nothing may wait for a
 * client. */
apr_status_t bl_store_read_begin(bl_store_t *s, bl_db_t **pdb);
/* The same for what belongs to an owner (conversation_id may be NULL): what
 * this process has put for him before is seen. */
apr_status_t bl_store_read_own(bl_store_t *s, const char *owner,
                               const char *conversation_id, bl_db_t **pdb);
void bl_store_read_end(bl_store_t *s, bl_db_t *db);

/* Loads the catalog anew when setting 'catalog_version' moved. */
apr_status_t bl_catalog_look(bl_store_t *s, bl_db_t *db);
/* After a durable commit: moves the mark when it changed the catalog. ctx: the
 * store. */
void bl_catalog_wt_tell(void *ctx, bl_db_t *db);

/* Is any live stream not ours? Asked before a transaction is made for it. */
int bl_recover_is_needed(bl_store_t *s, bl_db_t *db);

/* Streams of dead processes, at most `most` of them in one transaction that
 * the caller has begun. */
apr_status_t bl_recover_wt_some(bl_store_t *s, bl_db_t *db, int most, int *pn);

/* Writes down which master key this process knows; 0 when it could not. */
int bl_keyrings_wt_enter(bl_store_t *s, bl_db_t *db);

/* Something was deleted: the log is emptied soon. Any thread. */
void bl_retention_note_delete(bl_store_t *s);

/* Deletes a slice of what is due, if this process is the one to do so, and
 * answers after how many ms to ask again; 0: as usual. is_slow: one of the
 * rarer calls, at which the log may be emptied. */
bl_ms_t bl_retention_wt_step(bl_store_t *s, bl_db_t *db, int is_slow);

/* Row id of an upstream by its name, or BL_E_NOT_FOUND. */
apr_status_t bl_upstream_id(bl_db_t *db, const char *name, apr_int64_t *pid);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - what the rest of the module asks of the database, and nothing more.
 *
 * The interface is narrow on purpose: PostgreSQL could stand behind it. Below
 * it are db, migrate, writer, stream_jobs, history, api_keys and catalog;
 * only this directory knows SQLite.
 *
 * A bl_store_t is opened once in each process after the fork (D04, P14).
 * WRITES go through the writer thread: the bl_store_put_*() calls copy what
 * they are given, queue it and return at once; many of them become one
 * transaction under the cross-process lock (D06). The queue is bounded
 * (BL_STORE_QUEUE): when it is full they answer BL_E_STORE_UNAVAILABLE and
 * nothing is queued. Calls named bl_store_do_*() queue, wait for their
 * transaction and answer with its outcome: never from the reactor. READS use a
 * small pool of read connections: any thread but the reactor.
 *
 * THREADS  any, with the exceptions above.
 * ERRORS   BL_E_STORE_UNAVAILABLE busy, full, disk full, queue full;
 *          BL_E_STORE_CORRUPT; BL_E_KEYRING_MISSING; BL_E_NOT_FOUND;
 *          BL_E_CONFLICT a unique name is taken; BL_E_BAD_VALUE.
 */
#ifndef BL_STORE_H
#define BL_STORE_H

#include "base/bl.h"
#include "base/buf.h"
#include "stream/event.h"
#include "upstream/dialect.h"

#define BL_STORE_QUEUE 65536              /* requests */
#define BL_STORE_QUEUE_BYTES (256u << 20) /* and what they hold */

typedef struct bl_store_conf_t {
    const char *path;            /* the database file */
    const char *master_key_path; /* NULL: keyring given */
    bl_keyring_t *keyring; /* borrowed; NULL: no key can be opened (D13) */
    int is_tool;           /* bailianctl: no writer thread, no liveness;
                              bl_store_do_*() run in the caller */
    int must_be_current;   /* the database is neither made nor migrated
                              here: absent or older is an error */
    bl_budget_t *budget;   /* where what waits to be written is counted */
    int (*is_over)(void *unused); /* 1 = it need not open any more; or NULL */
} bl_store_conf_t;

/* Opens, checks owner and mode (D08), makes or migrates the database when
 * needed (D12; children wait for one another by the cross-process lock) and
 * starts the writer thread. err (may be NULL) gets one sentence for the
 * admin that says what would be right. */
apr_status_t bl_store_open(bl_store_t **ps, const bl_store_conf_t *conf,
                           char *err, size_t err_size);

/* Writes what is queued (at most wait_ms), ends the writer, closes. */
void bl_store_close(bl_store_t *s, bl_ms_t wait_ms);

/* Checks that can be made as root before the fork, without opening the
 * database: path, owner, mode, NFS, symlink (D08). */
apr_status_t bl_store_check_path(const char *path, char *err, size_t err_size);

/* --- the life of one answer -------------------------------------------------
 * Everything is by text copied at the call. */

typedef struct bl_store_begin_t {
    const char *stream_id;       /* BL_ID_TEXT hex */
    const char *owner;           /* principal text: "user:li", "anon:42" */
    const char *asker;           /* a member of his conversation, or NULL */
    const char *conversation_id; /* as the client knows it; created here when
                                    it does not exist for this owner */
    const char *item_id;         /* client's id of the question, or NULL */
    const char *app;             /* app name */
    const char *transport;       /* "sse" */
    const char *client;          /* its address, or NULL */
    const char *request_id;      /* of its request, or NULL */
    const char *upstream;        /* name, or NULL */
    const char *idempotency_key; /* or NULL */
    const char *question;        /* UTF-8 text of the user's message */
    apr_time_t at;               /* wall time */
} bl_store_begin_t;

/* Conversation (if new), user message, assistant message (state live, empty)
 * and the stream row. The conversation's title is the first 60 characters of
 * its first question. */
apr_status_t bl_store_put_begin(bl_store_t *s, const bl_store_begin_t *b);

/* A run of packed events (bl_event_pack) from first_seq on; runs of a stream
 * come in order, between its begin and its end: later ones are left out. run is
 * malloc'd and taken over (freed also on failure). may_wait: of a stream that
 * goes on, whose readers ask its child and not the store. */
apr_status_t bl_store_put_events(bl_store_t *s, const char *stream_id,
                                 apr_uint64_t first_seq, apr_uint64_t last_seq,
                                 char *run_take, size_t run_len, int may_wait);

typedef struct bl_store_end_t {
    const char *stream_id;
    /* As at the begin, or NULL: then a reader of this process that comes at
     * once may not see this end yet. */
    const char *owner, *conversation_id;
    bl_outcome_t outcome;
    const char *reason;        /* wire code of the error, or NULL */
    const char *finish_reason; /* "stop", "length", ... or NULL */
    const char *upstream_code; /* for the admin, or NULL */
    const char *upstream_request_id;
    const char *session_id; /* upstream's: kept on the conversation */
    const char *model_id;
    const char *text; /* the whole (or partial) answer */
    size_t text_len;
    const char *reasoning; /* or NULL */
    size_t reasoning_len;
    const char *references; /* JSON array, or NULL */
    const char *sha256_hex; /* of text */
    apr_uint64_t event_count;
    int attempts;
    apr_int64_t input_tokens, output_tokens; /* -1 unknown */
    bl_ms_t first_content_ms;                /* -1 none came */
    bl_ms_t duration_ms;
    apr_time_t at;
    const char *attempts_json; /* [{"n":1,"class":..,"status":..}] or NULL */
    const char *key_id;        /* api_key.id as text, or NULL */
    const char *key_last4;     /* of that key, or NULL */
    const void *timeline;      /* packed (shm/marks.h), or NULL */
    size_t timeline_len;
} bl_store_end_t;

apr_status_t bl_store_put_end(bl_store_t *s, const bl_store_end_t *e);

/* The upstream's session of a conversation: what to send so that the app
 * remembers. "" when none, or older than max_age (bailian.md 9: 1 h).
 * BL_E_NOT_FOUND when the conversation does not exist for this owner: whether
 * it does for another one cannot be seen, for ids are unique only per owner
 * (S-04). */
apr_status_t bl_store_session(bl_store_t *s, const char *owner,
                              const char *conversation_id, char *session_id,
                              size_t size);

/* --- reading streams ---------------------------------------------------- */

typedef struct bl_stored_stream_t {
    char stream_id[BL_ID_TEXT + 1];
    char owner[BL_PRINCIPAL_BYTES];
    char conversation_id[BL_ITEM_ID_BYTES];
    char item_id[BL_ITEM_ID_BYTES];
    char app[BL_NAME_BYTES];
    bl_outcome_t outcome; /* NONE: still live */
    char reason[64];
    apr_uint64_t event_count; /* newest seq that was stored */
    apr_uint64_t trimmed_to;  /* events up to this one are kept no more */
    apr_time_t started_at, ended_at;
    apr_int64_t input_tokens, output_tokens;
    int attempts;
    char sha256_hex[65];
    apr_uint64_t text_len;
} bl_stored_stream_t;

apr_status_t bl_store_stream(bl_store_t *s, const char *stream_id,
                             bl_stored_stream_t *out);

/* Stream that was begun with this key by this asker, or BL_E_NOT_FOUND. */
apr_status_t bl_store_by_idempotency(bl_store_t *s, const char *asker,
                                     const char *key, char *stream_id);

/* The newest stream of the conversation that clients call session_id, of this
 * owner; is_anybodys: of whichever anonymous caller, when there is but one.
 * What this process began of the owner's is there at once. */
typedef struct bl_session_stream_t {
    char stream_id[BL_ID_TEXT + 1];
    char owner[BL_PRINCIPAL_BYTES];
} bl_session_stream_t;
apr_status_t bl_store_session_stream(bl_store_t *s, const char *owner,
                                     int is_anybodys, const char *session_id,
                                     bl_session_stream_t *out);

/* Calls fn for each stored event after `after`, in order; views valid in the
 * call. Stops when fn does not answer APR_SUCCESS and passes that on.
 * BL_E_TRIMMED when events after `after` were deleted by retention, were never
 * stored, or when a crash lost what a reader at `after` has seen (P01). */
typedef apr_status_t bl_store_event_fn(void *ctx, const bl_event_t *ev);
apr_status_t bl_store_events(bl_store_t *s, const char *stream_id,
                             apr_uint64_t after, bl_store_event_fn *fn,
                             void *ctx);

#define BL_STORE_SEQ_JUMP 1000000

/* Marks live streams of dead processes interrupted: appends an END event
 * with a seq above every one that can have been delivered (P01: newest stored
 * + BL_STORE_SEQ_JUMP), keeps the partial text. *pn how many. Runs on the
 * writer thread by itself at open and every 5 s; callable for tests. */
apr_status_t bl_store_do_recover(bl_store_t *s, int *pn);

/* --- conversations: JSON in, JSON out ---------------------------------------
 * Answers are appended to out; shapes in docs/protocol.md. All are bound to
 * owner: a foreign id is BL_E_NOT_FOUND. */
apr_status_t bl_store_conversations(bl_store_t *s, const char *owner,
                                    const char *query, int limit,
                                    const char *cursor, bl_buf_t *out);
apr_status_t bl_store_conversation(bl_store_t *s, const char *owner,
                                   const char *id, bl_buf_t *out);
apr_status_t bl_store_conversation_markdown(bl_store_t *s, const char *owner,
                                            const char *id, bl_buf_t *out);
/* A conversation before its first question; with the title "" it gets one from
 * that. BL_E_CONFLICT: it exists. */
apr_status_t bl_store_do_create(bl_store_t *s, const char *owner,
                                const char *id, const char *title,
                                apr_time_t at);
apr_status_t bl_store_do_rename(bl_store_t *s, const char *owner,
                                const char *id, const char *title);
apr_status_t bl_store_do_delete(bl_store_t *s, const char *owner,
                                const char *id);

/* --- catalog: apps, upstreams, keys as one immutable snapshot ----------------
 * Taken in any thread, also the reactor (no I/O). Who is about to answer a
 * request catches up first; besides, the writer thread looks every 500 ms
 * whether setting 'catalog_version' moved and swaps it. */
typedef struct bl_key_t {
    apr_int64_t id;
    char name[BL_NAME_BYTES];
    char last4[5];
    int weight, priority;
    char account[BL_NAME_BYTES]; /* label of its account; "" none */
    char *apps, *models;         /* JSON arrays of names; NULL: all */
    unsigned char *sealed;       /* opened by bl_key_open() for one attempt */
    size_t sealed_len;
    apr_int64_t version;
} bl_key_t;

typedef struct bl_upstream_t {
    apr_int64_t id;
    char name[BL_NAME_BYTES];
    char kind[32]; /* dialect name: "bailian-app" */
    char *base_url;
    char *workspace; /* NULL when none; an app may override */
    char *ca_file;
    char *proxy;
    int use_http2; /* 1 auto (ALPN), 0 HTTP/1.1 only */
    /* -1 = as the directive says */
    bl_ms_t connect_ms, first_content_ms, gap_ms, total_ms;
    int key_count;
    bl_key_t *keys; /* enabled ones, by priority then id */
} bl_upstream_t;

typedef struct bl_app_t {
    apr_int64_t id;
    char name[BL_NAME_BYTES]; /* what clients send as appId / model */
    const bl_upstream_t *upstream;
    char *app_id; /* the upstream's id */
    int is_default;
    int is_incremental, has_thoughts, enable_thinking;
    bl_flow_mode_t flow_mode;
    char *answer_nodes; /* NULL */
    char *parameters;   /* JSON object or NULL */
    char *workspace;    /* NULL: the upstream's */
    /* -1 = as the upstream, then the directive says */
    bl_ms_t connect_ms, first_content_ms, gap_ms, total_ms;
    int retries;
    char policy[32];     /* "cancel", "drain", "detach 60s" or "" */
    char retry_pace[16]; /* "off", "fixed", "exponential" or "" */
    bl_ms_t retry_ms, heartbeat_first_ms, heartbeat_ms; /* -1 likewise */
    int streams_per_principal;                          /* -1 likewise */
    apr_int64_t queue_bytes;                            /* -1 likewise */
} bl_app_t;

typedef struct bl_client_t bl_client_t; /* store/clients.h */
typedef struct bl_alert_t bl_alert_t;   /* store/alerts.h */

struct bl_catalog_t {
    int refs;
    apr_int64_t version;
    int upstream_count, app_count, client_count, alert_count;
    bl_upstream_t *upstreams;
    bl_app_t *apps;
    bl_client_t *clients; /* enabled ones */
    bl_alert_t *alerts;
};

bl_catalog_t *bl_store_catalog(bl_store_t *s); /* a reference; never NULL */
/* After this the catalog has what any process has changed before. Any thread
 * but the reactor's; costs one small read where nothing was changed. When the
 * database cannot be read all stays as it is. */
void bl_store_catch_up(bl_store_t *s);
void bl_catalog_unref(bl_catalog_t *c);
/* name NULL or "": the default app. NULL when there is none. An app is found by
 * its name, or by its upstream app_id when no name fits. */
const bl_app_t *bl_catalog_app(const bl_catalog_t *c, const char *name);

/* May this key be used for this app? By the app's name, and by its app_id,
 * which of a model API is the model. */
int bl_key_is_for(const bl_key_t *key, const bl_app_t *app);

/* Opens a sealed key into a malloc'd, NUL-terminated secret that the caller
 * wipes and frees by bl_secret_free(). BL_E_KEYRING_MISSING when it cannot be.
 */
apr_status_t bl_key_open(const bl_keyring_t *k, const bl_key_t *key,
                         char **psecret);

/* --- administration (bailianctl now, the admin API later) --------------- */
typedef struct bl_admin_who_t {
    const char *actor; /* "cli:root", later "user:li" */
    const char *from;  /* address or "local" */
} bl_admin_who_t;

/* Writes down what is about to be done to each of these objects, for acts that
 * change nothing in the database: what cannot be written is not done (A09). */
apr_status_t bl_store_do_audit_all(bl_store_t *s, const bl_admin_who_t *who,
                                   const char *action,
                                   const char *const *objects, int count);

/* Each writes its audit row in the same transaction (A09, S-74). JSON out. */
apr_status_t bl_store_do_key_add(bl_store_t *s, const bl_admin_who_t *who,
                                 const char *upstream, const char *name,
                                 const char *secret, apr_int64_t *pid);
apr_status_t bl_store_do_key_set(bl_store_t *s, const bl_admin_who_t *who,
                                 apr_int64_t id, int is_enabled);
apr_status_t bl_store_do_key_delete(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id);
apr_status_t bl_store_keys(bl_store_t *s, bl_buf_t *out);
/* fields: a JSON object with those to change, null for "unset"; an unknown
 * one is BL_E_BAD_VALUE, and err says which. On success err can hold a note for
 * the admin, else it is "". Names of fields: docs/bailianctl.md. */
typedef enum { BL_PUT_ANY, BL_PUT_NEW, BL_PUT_EXISTING } bl_put_mode_t;
apr_status_t bl_store_do_upstream_put(bl_store_t *s, const bl_admin_who_t *who,
                                      const char *name, const char *fields,
                                      bl_put_mode_t mode, char *err,
                                      size_t err_size);
apr_status_t bl_store_do_app_put(bl_store_t *s, const bl_admin_who_t *who,
                                 const char *name, const char *fields,
                                 bl_put_mode_t mode, char *err,
                                 size_t err_size);
apr_status_t bl_store_do_upstream_delete(bl_store_t *s,
                                         const bl_admin_who_t *who,
                                         const char *name);
apr_status_t bl_store_do_app_delete(bl_store_t *s, const bl_admin_who_t *who,
                                    const char *name);
apr_status_t bl_store_upstreams(bl_store_t *s, bl_buf_t *out);
apr_status_t bl_store_apps(bl_store_t *s, bl_buf_t *out);
/* Where a rotation of the master key stands (D15). */
typedef struct bl_rotation_t {
    int to_move; /* stored keys that are not under the newest master key */
    int behind;  /* living processes that do not know the newest master key:
                    they could not open a key sealed with it */
} bl_rotation_t;
apr_status_t bl_store_do_rotation(bl_store_t *s, bl_rotation_t *out);

/* Every sealed key is sealed again with the newest master key, one transaction
 * each. Only when no process is behind. */
apr_status_t bl_store_do_rotate(bl_store_t *s, const bl_admin_who_t *who,
                                int *pmoved);
/* Is the database whole? report gets lines for the admin. */
apr_status_t bl_store_check(bl_store_t *s, bl_buf_t *report);
/* The commands that save a damaged database, for one that cannot even be
 * opened (D07). */
void bl_store_repair_advice(const char *path, bl_buf_t *out);
/* APR_EEXIST: to_path is there already. */
apr_status_t bl_store_backup(bl_store_t *s, const char *to_path);

/* Input and output tokens of an owner on a day (since 1970, UTC). */
apr_status_t bl_store_tokens_of_day(bl_store_t *s, const char *owner, int day,
                                    apr_int64_t *pn);

/* --- health ------------------------------------------------------------- */
typedef enum {
    BL_TROUBLE_NONE,
    BL_TROUBLE_OTHER,    /* an I/O error, no memory */
    BL_TROUBLE_GONE,     /* the file was moved, deleted or replaced (D09) */
    BL_TROUBLE_FULL,     /* no room on its disk (D01) */
    BL_TROUBLE_LOCKED,   /* another process holds it (D03) */
    BL_TROUBLE_READONLY, /* the file, or its folder (D08) */
    BL_TROUBLE_CORRUPT   /* D07 */
} bl_trouble_t;

typedef struct bl_store_health_t {
    apr_status_t last;       /* of the last transaction */
    bl_trouble_t trouble;    /* why it failed */
    apr_uint64_t free_bytes; /* of the disk */
    apr_uint32_t queued;
    apr_uint64_t queued_bytes;
    apr_uint64_t transactions, rows;
    apr_uint64_t wal_bytes;
    int is_guarded; /* D06 */
    const char *sqlite_version;
    apr_int64_t child_id; /* liveness id of this process */
} bl_store_health_t;
void bl_store_health(bl_store_t *s, bl_store_health_t *out);

const char *bl_store_sqlite_version(void); /* of the library that is used */

/* Of the last transaction; never waits for the disk. Any thread. */
apr_status_t bl_store_last(bl_store_t *s);

#endif

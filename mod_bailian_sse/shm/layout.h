/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout - what lies in the shared-memory segment: version, sizes, offsets
 * (never pointers).
 *
 * The segment is made once in post_config and survives graceful restarts; all
 * children of a server see it. Nothing in it is locked: a slot belongs to the
 * child that took it, single words are atomic, and a torn line of text can at
 * worst show an old name beside a new number.
 */
#ifndef BL_LAYOUT_H
#define BL_LAYOUT_H

#include "base/bl.h"
#include "base/budget.h"
#include "base/errors.h"

#define BL_SHM_MAGIC 0x31534c42u /* "BLS1" */
#define BL_SHM_CHILDREN 256      /* live and draining generations together */

/* Counters of one place of a child: whoever has it next counts on, so that the
 * totals are sums that never shrink. Names: docs/metrics
 * (bailian_<name>_total). */
#define BL_COUNTER_TABLE(X)                                                    \
    X(STREAMS_STARTED, streams_started)                                        \
    X(STREAMS_COMPLETED, streams_completed)                                    \
    X(STREAMS_LENGTH, streams_length)                                          \
    X(STREAMS_CANCELLED, streams_cancelled)                                    \
    X(STREAMS_TIMEOUT, streams_timeout)                                        \
    X(STREAMS_ERROR, streams_error)                                            \
    X(STREAMS_INTERRUPTED, streams_interrupted)                                \
    X(STREAMS_REFUSED, streams_refused)                                        \
    X(ATTEMPTS, attempts)                                                      \
    X(RETRIES, retries)                                                        \
    X(EVENTS, events)                                                          \
    X(CONTENT_BYTES, content_bytes)                                            \
    X(HEARTBEATS, heartbeats)                                                  \
    X(READERS_ATTACHED, readers_attached)                                      \
    X(READERS_RESUMED, readers_resumed)                                        \
    X(READERS_PARKED, readers_parked)                                          \
    X(READERS_SYNC, readers_sync)                                              \
    X(READERS_GONE, readers_gone)                                              \
    X(READERS_SLOW, readers_slow)                                              \
    X(PAUSES, pauses)                                                          \
    X(LATE_CLOSES, late_closes)                                                \
    X(DUPLICATES, duplicates)                                                  \
    X(BAD_UTF8, bad_utf8)                                                      \
    X(UNREADABLE, unreadable)                                                  \
    X(INPUT_TOKENS, input_tokens)                                              \
    X(OUTPUT_TOKENS, output_tokens)                                            \
    X(REQUESTS_REFUSED, requests_refused)                                      \
    X(MEMORY_REFUSED, memory_refused)                                          \
    X(MEMORY_ENDED, memory_ended)                                              \
    X(STORE_FAILURES, store_failures)

typedef enum {
#define X(NAME, name) BL_COUNT_##NAME,
    BL_COUNTER_TABLE(X)
#undef X
        BL_COUNTERS
} bl_counter_t;

/* First content, in milliseconds: a bucket counts what took at most that
 * long; one more counts the rest. */
#define BL_FIRST_BUCKETS                                                       \
    10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, \
        5000, 7500, 10000, 15000, 20000, 30000, 60000
#define BL_BUCKETS 23
#define BL_ERROR_LINES (BL_E_END - BL_E_BASE - 1)

/* Everything that is counted, as one row of words: the counters above, then
 * ends and failed attempts by line of the error table, then first content. */
enum {
    BL_WORD_ENDS = BL_COUNTERS,
    BL_WORD_ATTEMPTS = BL_WORD_ENDS + BL_ERROR_LINES,
    BL_WORD_FIRST = BL_WORD_ATTEMPTS + BL_ERROR_LINES,
    BL_WORD_FIRST_MS = BL_WORD_FIRST + BL_BUCKETS, /* the sum */
    BL_WORDS
};

typedef enum {
    BL_PHASE_CONNECTING,
    BL_PHASE_WAITING,
    BL_PHASE_STREAMING,
    BL_PHASE_PAUSED,
    BL_PHASE_RETRYING,
    BL_PHASE_DETACHED,
    BL_PHASE_ENDING
} bl_phase_t;

/* ASKING: claimed, but its ceilings are still being looked at. EMPTYING: its
 * memory is being given back (slot_pages.c). The word says also who claimed it,
 * so that both change at once: a slot without an owner, or with the one before,
 * would be freed under whoever is just claiming it. */
enum { BL_SLOT_FREE, BL_SLOT_ASKING, BL_SLOT_TAKEN, BL_SLOT_EMPTYING };
#define BL_SLOT_WORD(state, child) ((apr_uint32_t)(state) | (child) << 8)
#define BL_SLOT_STATE(word) ((word)&0xffu)
#define BL_SLOT_CHILD(word) ((word) >> 8)

/* Numbers that other threads and children look at while they change. */
#define bl_slot_set(s, field, value)                                           \
    __atomic_store_n(&(s)->field, (value), __ATOMIC_RELAXED)
#define bl_slot_get(s, field) __atomic_load_n(&(s)->field, __ATOMIC_RELAXED)

/* What happened to a stream, for its timeline (docs/admin-api.md). */
typedef enum {
    BL_MARK_START,
    BL_MARK_ATTEMPT,       /* n: which */
    BL_MARK_FAILED,        /* n: which; error, status */
    BL_MARK_RETRY,         /* n: in ms */
    BL_MARK_FIRST_CONTENT, /* */
    BL_MARK_PAUSED,
    BL_MARK_CONTINUED,
    BL_MARK_HEARTBEATS, /* n: how many */
    BL_MARK_ATTACHED,   /* n: readers now; likewise the next two */
    BL_MARK_RESUMED,
    BL_MARK_LEFT,
    BL_MARK_DETACHED, /* n: seconds it has */
    BL_MARK_END       /* n: bl_outcome_t; error */
} bl_mark_kind_t;

typedef struct bl_mark_t {
    apr_uint32_t at_ms; /* since the start */
    apr_uint32_t n;
    apr_uint16_t status; /* HTTP */
    unsigned char what;  /* bl_mark_kind_t */
    unsigned char error; /* line of the error table + 1; 0 = none */
} bl_mark_t;

#define BL_MARKS 24      /* kept of one stream */
#define BL_MARKS_FIRST 8 /* never overwritten; behind them a ring */

/* One live stream. 688 bytes, of who has its word; all zero, without a page,
 * when nobody has had it for a while: a look at it would give it one. */
typedef struct bl_slot_t {
    unsigned char id[BL_ID_BYTES];
    apr_uint32_t child; /* index into children */
    apr_uint64_t seq;   /* newest event */
    apr_uint64_t bytes;
    apr_uint64_t heartbeats;
    apr_int64_t started_at;   /* wall, microseconds */
    bl_ms_t started_ms;       /* monotonic */
    bl_ms_t first_content_ms; /* since started_ms; -1 none yet */
    bl_ms_t last_event_ms;    /* monotonic */
    apr_uint32_t phase;       /* bl_phase_t */
    apr_uint32_t attempt;     /* 1, 2, ... */
    apr_uint32_t attempts_most;
    apr_uint32_t readers;
    apr_uint32_t queue_bytes; /* of the reader that is furthest behind */
    char key_last4[8];
    char owner[BL_PRINCIPAL_BYTES];
    char app[64];
    apr_uint32_t resumes;
    apr_uint32_t pauses;
    apr_uint32_t rate; /* events of ten seconds */
    apr_uint32_t mark_count;
    char transport[12];
    char client[46]; /* INET6_ADDRSTRLEN */
    bl_mark_t marks[BL_MARKS];
} bl_slot_t;

/* So many slots, 43 pages, are given back at once when nobody has any. */
#define BL_CHUNK_SLOTS 256
#define BL_SLOT_CHUNKS (BL_DIRECTORY_SLOTS / BL_CHUNK_SLOTS)

/* In pid: who cleans up after a child that is dead. */
#define BL_CHILD_CLEANER 0x80000000u

typedef struct bl_child_t {
    union {
        apr_uint64_t who; /* 0 = free; taken by compare-and-swap */
        struct {
            apr_uint32_t pid;
            apr_uint32_t born; /* bl_process_born(): pids come again */
        };
    };
    apr_uint32_t is_draining;
    apr_int64_t
        child_id; /* bl_store_health_t.child_id: also names its socket */
    apr_int64_t started_at;
    apr_uint32_t live; /* slots it holds */
    apr_uint32_t turn_longest_ms;
    apr_uint64_t counters[BL_WORDS];
} bl_child_t;

/* A stream that has just ended: its slot is free at once, but its row is in
 * the store some milliseconds later (C18). */
#define BL_RECENT_KEYS 1024
typedef struct bl_recent_t {
    apr_uint64_t principal_hash;
    apr_uint64_t request_hash; /* 0 = no key, or being written */
    unsigned char id[BL_ID_BYTES];
} bl_recent_t;

/* How attempts went: 0 = answered, else the number of the line in errors.h. */
#define BL_TRIES (BL_E_END - BL_E_BASE)
#define BL_SHM_KEYS 512
#define BL_SHM_UPSTREAMS 128

/* What is known of one API key or one upstream (targets.h). */
typedef struct bl_place_t {
    apr_uint64_t name; /* 0 = free; taken by compare-and-swap */
    apr_int64_t since; /* wall: the state began */
    apr_int64_t last_used;
    bl_ms_t until;         /* monotonic: rest of a key, next probe */
    apr_uint64_t turn;     /* key: the lowest is next; upstream: where
                              its keys are */
    apr_uint32_t state;    /* bl_target_state_t */
    apr_uint32_t failures; /* upstream: in a row */
    apr_uint32_t last;     /* newest of counts */
    apr_uint32_t counts[BL_TRIES];
} bl_place_t;

/* --- trend: what was counted in each step of time --------------------- */

#define BL_TREND_SECONDS 300 /* one sample a second */
#define BL_TREND_TENS 360    /* one every ten seconds */

typedef struct bl_sample_t {
    apr_int64_t step;  /* monotonic seconds, or tens of them; 0 = none */
    apr_uint32_t live; /* streams at its end */
    apr_uint32_t counts[BL_WORDS];
} bl_sample_t;

typedef struct bl_trend_t {
    apr_uint32_t writer;           /* pid; 0 = nobody writes right now */
    apr_int64_t second;            /* of the newest sample */
    apr_uint64_t totals[BL_WORDS]; /* at the newest sample */
    bl_sample_t seconds[BL_TREND_SECONDS];
    bl_sample_t tens[BL_TREND_TENS];
} bl_trend_t;

/* --- callers (tickets.h, quota.h) --------------------------------------- */

#define BL_TICKETS 4096
typedef struct bl_ticket_slot_t {
    apr_uint64_t word; /* until when, and what: tickets.c */
    unsigned char hash[32];
    apr_uint64_t owner_hash, route_hash;
    apr_int64_t expires_at, client_id;
    apr_uint32_t scopes;
    char principal[BL_PRINCIPAL_BYTES];
} bl_ticket_slot_t;

#define BL_REMOVALS 256 /* kept: shm/removals.h */

#define BL_QUOTAS 16384
typedef struct bl_quota_entry_t {
    apr_uint64_t hash;    /* 0 = free; taken by compare-and-swap */
    apr_uint64_t rest_at; /* monotonic ms: when all starts are forgotten */
    apr_uint64_t tokens;  /* day and sum: quota.c */
} bl_quota_entry_t;

/* --- alerts (alerts.h) -------------------------------------------------- */

#define BL_SHM_ALERTS 32

/* What an alert can be about. */
typedef enum {
    BL_RULE_ERRORS,
    BL_RULE_FIRST_CONTENT,
    BL_RULE_KEYS,
    BL_RULE_STORE,
    BL_RULES
} bl_rule_t;

typedef struct bl_rule_state_t {
    apr_int64_t since;   /* wall: it fires; 0 = it does not */
    apr_int64_t told_at; /* wall: of the newest message that arrived */
    bl_ms_t quiet_ms;    /* monotonic: all is well since; 0 */
    bl_ms_t next_ms;     /* monotonic: no message before */
    apr_uint32_t told;   /* that message said that it fires */
} bl_rule_state_t;

typedef struct bl_alert_place_t {
    apr_int64_t id; /* 0 = free */
    bl_rule_state_t rules[BL_RULES];
    apr_int64_t sent_at;     /* wall: newest delivery; 0 = none */
    apr_uint32_t sent_class; /* line of the error table + 1; 0 = it went well */
    apr_uint32_t sent_status; /* HTTP; 0 = none came */
} bl_alert_place_t;

struct bl_shm_t {
    apr_uint32_t magic;
    apr_uint32_t size; /* of the whole segment: another build is refused */
    unsigned char server_id[16];
    apr_uint32_t top; /* no slot at or above it is in use */
    bl_trend_t trend;
    apr_uint32_t recent_next; /* a ring */
    bl_recent_t recent[BL_RECENT_KEYS];
    bl_child_t children[BL_SHM_CHILDREN];
    /* Beside the children, dense, because they are summed up (R03) */
    bl_held_t held[BL_SHM_CHILDREN];
    apr_uint64_t budget_bytes; /* of all, as configured; 0 = no budget */
    bl_ms_t budget_told;       /* monotonic: it was said that it is short; 0 */
    apr_uint64_t targets_of;   /* which database keys and upstreams are of */
    bl_place_t keys[BL_SHM_KEYS];
    bl_place_t upstreams[BL_SHM_UPSTREAMS];
    bl_alert_place_t alerts[BL_SHM_ALERTS];
    apr_uint32_t sockets_top;               /* as top, of the next */
    apr_uint64_t sockets[BL_SOCKET_PLACES]; /* sockets.c */
    apr_uint32_t removal_count;             /* a ring */
    apr_uint64_t removals[BL_REMOVALS];     /* removals.c */
    /* Beside the slots, dense, because they are searched as a whole */
    apr_uint32_t words[BL_DIRECTORY_SLOTS]; /* BL_SLOT_WORD: taken by
                                               compare-and-swap; 0 = free */
    apr_uint32_t was_used[BL_SLOT_CHUNKS];  /* since pages were given back */
    /* 0 = none */
    apr_uint64_t principal_hash[BL_DIRECTORY_SLOTS];
    apr_uint64_t request_hash[BL_DIRECTORY_SLOTS]; /* Idempotency-Key */
    bl_ticket_slot_t tickets[BL_TICKETS];
    bl_quota_entry_t quotas[BL_QUOTAS];
    bl_slot_t slots[BL_DIRECTORY_SLOTS];
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine_env - an engine with a real store in a fresh directory, a scripted
 * upstream, and readers that keep what they get.
 *
 * OWNERSHIP  engine_env_make() to engine_env_close(); a reader is the test's.
 * THREADS    the test's main thread.
 */
#ifndef ENGINE_ENV_H
#define ENGINE_ENV_H

#include "core.h"
#include "store_env.h"
#include "upstream_stub.h"

#include "engine/engine.h"
#include "stream/cursor.h"

#include <pthread.h>

typedef struct engine_env_t {
    env_t env;
    stub_t stub;
    bl_shm_t *shm; /* shared with processes that are forked later */
    bl_keyring_t *keyring;
    bl_allowed_t allowed;
    bl_limits_t limits;
    bl_engine_conf_t conf;
    bl_engine_t *engine;
} engine_env_t;

/* Directory, database with upstream "stub", app "qa", key "k1"; the upstream
 * listens but serves nobody yet; limits that suit a test. No thread runs. */
void engine_env_make(engine_env_t *ee);

/* Another key of the upstream; before the engine is opened. */
void engine_env_add_key(engine_env_t *ee, const char *name, const char *secret);
/* Fields of the app, as JSON; before the engine is opened. */
void engine_env_set_app(engine_env_t *ee, const char *fields);

/* The engine in this process, and the upstream's thread. */
void engine_env_open(engine_env_t *ee, stub_script_fn *script, void *ctx);
/* ... all at once. */
void engine_env_start(engine_env_t *ee, stub_script_fn *script, void *ctx);
void engine_env_close(engine_env_t *ee);

/* A question of this environment's limits; fields may be changed. */
bl_question_t engine_env_question(engine_env_t *ee);
bl_stream_t *engine_env_ask(engine_env_t *ee);

/* The stream's row once its end is stored. */
void engine_env_stored(engine_env_t *ee, const char *id,
                       bl_stored_stream_t *row);

#define READER_BYTES (256 * 1024)

typedef struct reader_t {
    bl_cursor_t cursor;
    bl_reactor_t *reactor;
    bl_stream_t *stream;
    apr_uint64_t from;
    pthread_mutex_t lock; /* guards every field below it */
    int is_stalled;       /* takes nothing */
    int is_over;          /* read to the end of the journal */
    int events;
    apr_uint64_t last_seq;
    int is_broken; /* a seq was skipped or came again */
    bl_event_kind_t last_kind;
    size_t text_len;
    char text[READER_BYTES];  /* of deltas, as far as it goes */
    char fields[1024];        /* of the last event */
    char kinds[READER_BYTES]; /* "start delta delta end ", as far as it goes */
} reader_t;

/* Reads everything after a seq from now on, on the reactor. */
reader_t *reader_open(bl_engine_t *e, bl_stream_t *s, apr_uint64_t after);
reader_t *reader_open_stalled(bl_engine_t *e, bl_stream_t *s);
void reader_go_on(reader_t *r);
int reader_is_over(reader_t *r);
int reader_events(reader_t *r);
apr_uint64_t reader_seq(reader_t *r);
int reader_has_text(reader_t *r, const char *text);
/* Its end: the outcome's name and the reason's code stand in the END event. */
void reader_expect_end(reader_t *r, const char *outcome, const char *reason);
void reader_close(reader_t *r); /* leaves the stream and is freed */

#endif

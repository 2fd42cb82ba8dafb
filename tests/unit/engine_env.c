/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_env.h"

#include "crypto/keyring.h"
#include "engine/replay.h"

#include <sys/mman.h>

/* --- the engine ------------------------------------------------------------
 */

static void fill_database(engine_env_t *ee)
{
    bl_store_t *s = env_second(&ee->env);
    char fields[256], err[256] = "";
    apr_int64_t id;

    snprintf(fields, sizeof(fields),
             "{\"kind\":\"bailian-app\",\"baseUrl\":"
             "\"http://127.0.0.1:%d/api/v1\",\"http2\":false}",
             ee->stub.port);
    if (bl_store_do_upstream_put(s, &env_who, "stub", fields, BL_PUT_NEW, err,
                                 sizeof(err)) != APR_SUCCESS ||
        bl_store_do_app_put(s, &env_who, "qa",
                            "{\"upstream\":\"stub\",\"appId\":\"a1\"}",
                            BL_PUT_NEW, err, sizeof(err)) != APR_SUCCESS)
    {
        fail_msg("%s", err);
    }
    assert_int_equal(
        bl_store_do_key_add(s, &env_who, "stub", "k1", "sk-first-0001", &id),
        APR_SUCCESS);
    bl_store_close(s, 5000);
}

static void set_limits(bl_limits_t *l)
{
    l->connect_ms = 5000;
    l->first_content_ms = CORE_WAIT_MS;
    l->gap_ms = CORE_WAIT_MS;
    l->total_ms = 2 * CORE_WAIT_MS;
    l->pace = BL_RETRY_FIXED;
    l->retries = 3;
    l->retry_ms = 1;
    l->policy = BL_POLICY_DRAIN;
    l->detach_ms = CORE_WAIT_MS;
    l->queue_bytes = BL_QUEUE_BYTES;
    l->streams_per_principal = 1000;
}

void engine_env_make(engine_env_t *ee)
{
    char err[256] = "";

    memset(ee, 0, sizeof(*ee));
    env_make(&ee->env);
    stub_open(&ee->stub);
    fill_database(ee);
    if (bl_keyring_load(&ee->keyring, ee->env.key_path, err, sizeof(err)) !=
        APR_SUCCESS)
    {
        fail_msg("%s", err);
    }
    ee->shm = mmap(NULL, bl_shm_size(), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(ee->shm != MAP_FAILED);
    assert_int_equal(bl_shm_format(ee->shm), APR_SUCCESS);
    assert_int_equal(bl_network_parse(&ee->allowed.networks[0], "127.0.0.0/8"),
                     APR_SUCCESS);
    ee->allowed.network_count = 1;
    ee->allowed.plain[0] = strdup("127.0.0.1");
    ee->allowed.plain_count = 1;
    set_limits(&ee->limits);
    ee->conf.database = ee->env.path;
    ee->conf.keyring = ee->keyring;
    ee->conf.shm = ee->shm;
    ee->conf.allowed = &ee->allowed;
    ee->conf.streams_per_child = BL_STREAMS_PER_CHILD;
    ee->conf.streams_all = BL_STREAMS_ALL;
    ee->conf.drain_ms = 100;
}

void engine_env_add_key(engine_env_t *ee, const char *name, const char *secret)
{
    bl_store_t *s = env_second(&ee->env);
    apr_int64_t id;

    assert_int_equal(
        bl_store_do_key_add(s, &env_who, "stub", name, secret, &id),
        APR_SUCCESS);
    bl_store_close(s, 5000);
}

void engine_env_set_app(engine_env_t *ee, const char *fields)
{
    bl_store_t *s = env_second(&ee->env);
    char err[256] = "";

    if (bl_store_do_app_put(s, &env_who, "qa", fields, BL_PUT_EXISTING, err,
                            sizeof(err)) != APR_SUCCESS)
    {
        fail_msg("%s", err);
    }
    bl_store_close(s, 5000);
}

void engine_env_open(engine_env_t *ee, stub_script_fn *script, void *ctx)
{
    char err[512] = "";

    if (script) stub_start(&ee->stub, script, ctx);
    if (bl_engine_open(&ee->engine, &ee->conf, err, sizeof(err)) != APR_SUCCESS)
    {
        fail_msg("engine: %s", err);
    }
    ee->env.store = bl_engine_store(ee->engine);
}

void engine_env_start(engine_env_t *ee, stub_script_fn *script, void *ctx)
{
    engine_env_make(ee);
    engine_env_open(ee, script, ctx);
}

void engine_env_close(engine_env_t *ee)
{
    bl_engine_close(ee->engine);
    stub_close(&ee->stub);
    bl_keyring_close(ee->keyring);
    free(ee->allowed.plain[0]);
    munmap(ee->shm, bl_shm_size());
    ee->env.store = NULL; /* the engine closed it */
    env_close(&ee->env);
}

bl_question_t engine_env_question(engine_env_t *ee)
{
    bl_question_t q;

    memset(&q, 0, sizeof(q));
    q.owner = "user:li";
    q.conversation_id = "c1";
    q.transport = "sse";
    q.text = "hi";
    q.ask.prompt = "hi";
    q.limits = &ee->limits;
    return q;
}

bl_stream_t *engine_env_ask(engine_env_t *ee)
{
    bl_question_t q = engine_env_question(ee);
    char id[BL_ID_TEXT + 1];
    bl_stream_t *s;

    assert_int_equal(bl_engine_ask(ee->engine, &q, &s, id), APR_SUCCESS);
    assert_string_equal(s->id, id);
    return s;
}

void engine_env_stored(engine_env_t *ee, const char *id,
                       bl_stored_stream_t *row)
{
    apr_status_t rv;

    /* Not there yet, or not ended yet. */
    wait_until((rv = bl_replay_find(ee->engine, id, row)) != APR_EBUSY &&
               rv != BL_E_NOT_FOUND);
    assert_int_equal(rv, APR_SUCCESS);
}

/* --- readers ---------------------------------------------------------------
 */

static void add_text(char *dst, size_t size, const char *src, size_t len)
{
    size_t n = strlen(dst);

    if (n + len + 1 > size) len = size - n - 1;
    memcpy(dst + n, src, len);
    dst[n + len] = '\0';
}

static void take_one(reader_t *r, const bl_event_t *ev)
{
    if (ev->seq != r->last_seq + 1 && ev->kind != BL_EV_END) r->is_broken = 1;
    if (ev->seq <= r->last_seq) r->is_broken = 1;
    r->last_seq = ev->seq;
    r->last_kind = ev->kind;
    r->events++;
    if (ev->kind == BL_EV_DELTA) {
        if (r->text_len < sizeof(r->text)) {
            add_text(r->text, sizeof(r->text), ev->text, ev->text_len);
        }
        r->text_len += ev->text_len;
    }
    snprintf(r->fields, sizeof(r->fields), "%.*s", (int)ev->fields_len,
             ev->fields ? ev->fields : "");
    if (r->events < 2000) {
        const char *name = bl_event_kind_name(ev->kind);

        add_text(r->kinds, sizeof(r->kinds), name, strlen(name));
        add_text(r->kinds, sizeof(r->kinds), " ", 1);
    }
}

static void take_all(void *ctx)
{
    reader_t *r = ctx;
    bl_stream_t *s = r->cursor.stream;
    bl_event_t events[16];
    apr_status_t rv = APR_SUCCESS;
    int n, i;

    pthread_mutex_lock(&r->lock);
    while (s && !r->is_stalled && rv == APR_SUCCESS) {
        rv = bl_cursor_peek(&r->cursor, events, 16, &n);
        for (i = 0; i < n; i++) {
            take_one(r, &events[i]);
            bl_cursor_advance(&r->cursor, &events[i]);
        }
    }
    if (rv == APR_EOF) r->is_over = 1;
    pthread_mutex_unlock(&r->lock);
    /* As a sink does: who catches up says so when somebody waits for it. */
    if (s && s->is_paused && s->changed) s->changed(s, s->producer);
}

static void open_here(void *ctx)
{
    reader_t *r = ctx;

    bl_cursor_rt_open(&r->cursor, r->stream, r->from, take_all, r);
    take_all(r);
}

static void close_here(void *ctx)
{
    reader_t *r = ctx;

    bl_cursor_rt_close(&r->cursor);
}

static reader_t *new_reader(bl_engine_t *e, bl_stream_t *s, apr_uint64_t after,
                            int is_stalled)
{
    reader_t *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    pthread_mutex_init(&r->lock, NULL);
    r->reactor = bl_engine_reactor(e);
    r->stream = s;
    r->from = r->last_seq = after;
    r->is_stalled = is_stalled;
    on_reactor(r->reactor, open_here, r);
    return r;
}

reader_t *reader_open(bl_engine_t *e, bl_stream_t *s, apr_uint64_t after)
{
    return new_reader(e, s, after, 0);
}

reader_t *reader_open_stalled(bl_engine_t *e, bl_stream_t *s)
{
    return new_reader(e, s, 0, 1);
}

void reader_go_on(reader_t *r)
{
    pthread_mutex_lock(&r->lock);
    r->is_stalled = 0;
    pthread_mutex_unlock(&r->lock);
    on_reactor(r->reactor, take_all, r);
}

#define UNDER_LOCK(r, type, value)                                             \
    type v_;                                                                   \
    pthread_mutex_lock(&(r)->lock);                                            \
    v_ = (value);                                                              \
    pthread_mutex_unlock(&(r)->lock);                                          \
    return v_

int reader_is_over(reader_t *r)
{
    UNDER_LOCK(r, int, r->is_over);
}

int reader_events(reader_t *r)
{
    UNDER_LOCK(r, int, r->events);
}

apr_uint64_t reader_seq(reader_t *r)
{
    UNDER_LOCK(r, apr_uint64_t, r->last_seq);
}

int reader_has_text(reader_t *r, const char *text)
{
    UNDER_LOCK(r, int, !strcmp(r->text, text));
}

void reader_expect_end(reader_t *r, const char *outcome, const char *reason)
{
    char expected[128];

    wait_until(reader_is_over(r));
    assert_false(r->is_broken);
    assert_int_equal(r->last_kind, BL_EV_END);
    snprintf(expected, sizeof(expected),
             "{\"outcome\":\"%s\",\"reason\":%s%s%s", outcome,
             reason ? "\"" : "", reason ? reason : "null", reason ? "\"" : "");
    r->fields[strlen(expected)] = '\0';
    assert_string_equal(r->fields, expected);
}

void reader_close(reader_t *r)
{
    on_reactor(r->reactor, close_here, r);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

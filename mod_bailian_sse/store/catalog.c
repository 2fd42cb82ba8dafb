/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_private.h"

#include "base/errors.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#include "store/alerts_load.h"
#include "store/clients_load.h"
#include "store/flow.h"

static void free_upstream(bl_upstream_t *u)
{
    int i;

    for (i = 0; i < u->key_count; i++) {
        free(u->keys[i].sealed);
        free(u->keys[i].apps);
        free(u->keys[i].models);
    }
    free(u->keys);
    free(u->base_url);
    free(u->workspace);
    free(u->ca_file);
    free(u->proxy);
}

static void free_app(bl_app_t *a)
{
    free(a->app_id);
    free(a->answer_nodes);
    free(a->parameters);
    free(a->workspace);
}

static void free_catalog(bl_catalog_t *c)
{
    int i;

    if (!c) return;
    for (i = 0; i < c->upstream_count; i++)
        free_upstream(&c->upstreams[i]);
    for (i = 0; i < c->app_count; i++)
        free_app(&c->apps[i]);
    for (i = 0; i < c->client_count; i++)
        bl_client_release(&c->clients[i]);
    for (i = 0; i < c->alert_count; i++)
        bl_alert_release(&c->alerts[i]);
    free(c->upstreams);
    free(c->apps);
    free(c->alerts);
    free(c->clients);
    free(c);
}

void bl_catalog_unref(bl_catalog_t *c)
{
    if (c && __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        free_catalog(c);
    }
}

/* Room for one more zeroed element in a growing array. */
static void *one_more(void *array, int count, size_t size)
{
    char *grown = realloc(array, ((size_t)count + 1) * size);

    if (grown) memset(grown + (size_t)count * size, 0, size);
    return grown;
}

/* NULL means "as the directive says", which the catalog calls -1. */
static apr_int64_t number_or_unset(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL
               ? -1
               : sqlite3_column_int64(st, column);
}

static apr_status_t load_upstreams(bl_db_t *db, bl_catalog_t *c)
{
    static const char sql[] =
        "SELECT id, name, kind, base_url, workspace,"
        " ca_file, proxy, use_http2, connect_ms,"
        " first_content_ms, gap_ms, total_ms FROM upstream"
        " ORDER BY id";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        bl_upstream_t *all = one_more(c->upstreams, c->upstream_count,
                                      sizeof(*all)),
                      *u;

        if (!all) {
            rv = APR_ENOMEM;
            break;
        }
        c->upstreams = all;
        u = &all[c->upstream_count++];
        u->id = sqlite3_column_int64(st, 0);
        bl_db_copy(st, 1, u->name, sizeof(u->name));
        bl_db_copy(st, 2, u->kind, sizeof(u->kind));
        rv = APR_EOF;
        u->base_url = bl_db_dup(st, 3, &rv);
        u->workspace = bl_db_dup(st, 4, &rv);
        u->ca_file = bl_db_dup(st, 5, &rv);
        u->proxy = bl_db_dup(st, 6, &rv);
        u->use_http2 = sqlite3_column_int(st, 7);
        u->connect_ms = number_or_unset(st, 8);
        u->first_content_ms = number_or_unset(st, 9);
        u->gap_ms = number_or_unset(st, 10);
        u->total_ms = number_or_unset(st, 11);
        if (rv != APR_EOF) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static bl_upstream_t *upstream_by_id(const bl_catalog_t *c, apr_int64_t id)
{
    int i;

    for (i = 0; i < c->upstream_count; i++) {
        if (c->upstreams[i].id == id) return &c->upstreams[i];
    }
    return NULL;
}

static apr_status_t read_key(sqlite3_stmt *st, bl_upstream_t *u)
{
    bl_key_t *all = one_more(u->keys, u->key_count, sizeof(*all)), *k;
    int len = sqlite3_column_bytes(st, 7);
    apr_status_t rv = APR_SUCCESS;

    if (!all) return APR_ENOMEM;
    u->keys = all;
    k = &all[u->key_count++];
    k->id = sqlite3_column_int64(st, 1);
    bl_db_copy(st, 2, k->name, sizeof(k->name));
    bl_db_copy(st, 3, k->last4, sizeof(k->last4));
    k->weight = sqlite3_column_int(st, 4);
    k->priority = sqlite3_column_int(st, 5);
    k->version = sqlite3_column_int64(st, 6);
    bl_db_copy(st, 8, k->account, sizeof(k->account));
    k->apps = bl_db_dup(st, 9, &rv);
    k->models = bl_db_dup(st, 10, &rv);
    if (rv != APR_SUCCESS) return rv;
    k->sealed = malloc(len ? (size_t)len : 1);
    if (!k->sealed) return APR_ENOMEM;
    if (len) memcpy(k->sealed, sqlite3_column_blob(st, 7), (size_t)len);
    k->sealed_len = (size_t)len;
    return APR_SUCCESS;
}

static apr_status_t load_keys(bl_db_t *db, bl_catalog_t *c)
{
    static const char sql[] = "SELECT upstream_id, id, name, last4, weight,"
                              " priority, version, sealed, account, apps,"
                              " models FROM api_key"
                              " WHERE state = 'enabled' ORDER BY priority, id";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        bl_upstream_t *u = upstream_by_id(c, sqlite3_column_int64(st, 0));

        if (u) rv = read_key(st, u);
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t read_app(sqlite3_stmt *st, bl_catalog_t *c, bl_app_t *a)
{
    apr_status_t rv = APR_SUCCESS;
    char flow[32];

    a->id = sqlite3_column_int64(st, 0);
    bl_db_copy(st, 1, a->name, sizeof(a->name));
    a->upstream = upstream_by_id(c, sqlite3_column_int64(st, 2));
    a->app_id = bl_db_dup(st, 3, &rv);
    a->is_default = sqlite3_column_int(st, 4);
    a->is_incremental = sqlite3_column_int(st, 5);
    a->has_thoughts = sqlite3_column_int(st, 6);
    a->enable_thinking = (int)number_or_unset(st, 7);
    bl_db_copy(st, 8, flow, sizeof(flow));
    if (!bl_flow_from_name(flow, &a->flow_mode)) a->flow_mode = BL_FLOW_NONE;
    a->answer_nodes = bl_db_dup(st, 9, &rv);
    a->parameters = bl_db_dup(st, 10, &rv);
    a->workspace = bl_db_dup(st, 11, &rv);
    a->connect_ms = number_or_unset(st, 12);
    a->first_content_ms = number_or_unset(st, 13);
    a->gap_ms = number_or_unset(st, 14);
    a->total_ms = number_or_unset(st, 15);
    a->retries = (int)number_or_unset(st, 16);
    bl_db_copy(st, 17, a->policy, sizeof(a->policy));
    bl_db_copy(st, 18, a->retry_pace, sizeof(a->retry_pace));
    a->retry_ms = number_or_unset(st, 19);
    a->heartbeat_first_ms = number_or_unset(st, 20);
    a->heartbeat_ms = number_or_unset(st, 21);
    a->streams_per_principal = (int)number_or_unset(st, 22);
    a->queue_bytes = number_or_unset(st, 23);
    return rv;
}

static apr_status_t load_apps(bl_db_t *db, bl_catalog_t *c)
{
    static const char sql[] =
        "SELECT id, name, upstream_id, app_id, is_default, is_incremental,"
        " has_thoughts, enable_thinking, flow_mode, answer_nodes, parameters,"
        " workspace, connect_ms, first_content_ms, gap_ms, total_ms, retries,"
        " policy, retry_pace, retry_ms, heartbeat_first_ms, heartbeat_ms,"
        " principal_streams, queue_bytes FROM app ORDER BY id";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        bl_app_t *all = one_more(c->apps, c->app_count, sizeof(*all));

        if (!all) {
            rv = APR_ENOMEM;
            break;
        }
        c->apps = all;
        rv = read_app(st, c, &all[c->app_count++]);
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static const char sql_version[] =
    "SELECT value FROM setting WHERE name = 'catalog_version'";

/* All reads see one state of the database. */
static apr_status_t load(bl_db_t *db, bl_catalog_t **pc)
{
    bl_catalog_t *c = calloc(1, sizeof(*c));
    apr_status_t rv;

    *pc = NULL;
    if (!c) return APR_ENOMEM;
    c->refs = 1;
    rv = bl_db_run(db, bl_db_stmt(db, "BEGIN"), NULL);
    if (rv == APR_SUCCESS) rv = bl_db_number(db, sql_version, 0, &c->version);
    if (rv == APR_SUCCESS) rv = load_upstreams(db, c);
    if (rv == APR_SUCCESS) rv = load_keys(db, c);
    if (rv == APR_SUCCESS) rv = load_apps(db, c);
    if (rv == APR_SUCCESS) {
        rv = bl_clients_load(db, &c->clients, &c->client_count);
    }
    if (rv == APR_SUCCESS) rv = bl_alerts_load(db, &c->alerts, &c->alert_count);
    bl_db_abandon(db);
    if (rv != APR_SUCCESS) {
        free_catalog(c);
        return rv;
    }
    *pc = c;
    return APR_SUCCESS;
}

static void install(bl_store_t *s, bl_catalog_t *fresh)
{
    bl_catalog_t *old;

    s->catalog_version = fresh->version;
    pthread_mutex_lock(&s->catalog_lock);
    old = s->catalog;
    s->catalog = fresh;
    pthread_mutex_unlock(&s->catalog_lock);
    bl_catalog_unref(old);
}

/* One at a time: what is read later is never replaced by what was read before.
 * The mark is read first, so what is changed meanwhile is looked for again. */
apr_status_t bl_catalog_look(bl_store_t *s, bl_db_t *db)
{
    bl_catalog_t *fresh;
    apr_int64_t version = 0;
    apr_uint64_t mark;
    apr_status_t rv;

    pthread_mutex_lock(&s->load_lock);
    mark = bl_lock_mark(s->lock);
    rv = bl_db_number(db, sql_version, 0, &version);
    if (rv == APR_SUCCESS && version != s->catalog_version) {
        rv = load(db, &fresh);
        if (rv == APR_SUCCESS) install(s, fresh);
    }
    if (rv == APR_SUCCESS) {
        __atomic_store_n(&s->catalog_mark, mark, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&s->load_lock);
    return rv;
}

void bl_catalog_wt_tell(void *ctx, bl_db_t *db)
{
    bl_store_t *s = ctx;
    apr_int64_t version = 0;

    if (bl_db_number(db, sql_version, 0, &version) != APR_SUCCESS ||
        version == s->told_version)
    {
        return;
    }
    s->told_version = version;
    bl_lock_move_mark(s->lock);
}

void bl_store_catch_up(bl_store_t *s)
{
    bl_db_t *db;

    if (bl_lock_mark(s->lock) ==
        __atomic_load_n(&s->catalog_mark, __ATOMIC_ACQUIRE))
    {
        return;
    }
    if (bl_store_read_begin(s, &db) == APR_SUCCESS) bl_catalog_look(s, db);
    bl_store_read_end(s, db);
}

bl_catalog_t *bl_store_catalog(bl_store_t *s)
{
    bl_catalog_t *c;

    if (s->is_tool) bl_catalog_look(s, s->db);
    pthread_mutex_lock(&s->catalog_lock);
    c = s->catalog;
    __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&s->catalog_lock);
    return c;
}

const bl_app_t *bl_catalog_app(const bl_catalog_t *c, const char *name)
{
    int i;

    if (!name || !name[0]) {
        for (i = 0; i < c->app_count; i++) {
            if (c->apps[i].is_default) return &c->apps[i];
        }
        return NULL;
    }
    for (i = 0; i < c->app_count; i++) {
        if (!strcmp(c->apps[i].name, name)) return &c->apps[i];
    }
    for (i = 0; i < c->app_count; i++) {
        if (!strcmp(c->apps[i].app_id, name)) return &c->apps[i];
    }
    return NULL;
}

/* Is this one of the names of a JSON array? Names of apps and models hold no
 * character that JSON would escape. */
static int is_among(const char *names, const char *name)
{
    size_t len = strlen(name);
    const char *at;

    if (!names) return 1;
    for (at = strstr(names, name); at; at = strstr(at + 1, name)) {
        if (at > names && at[-1] == '"' && at[len] == '"') return 1;
    }
    return 0;
}

int bl_key_is_for(const bl_key_t *key, const bl_app_t *app)
{
    return is_among(key->apps, app->name) && is_among(key->models, app->app_id);
}

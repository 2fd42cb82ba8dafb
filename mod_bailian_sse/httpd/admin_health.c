/* SPDX-License-Identifier: Apache-2.0 */
/* admin_health - api/health, api/history and the metrics: is it well, and how
 * has it been? */
#include "admin.h"
#include "park.h"
#include "admin/metrics.h"
#include "admin/trend.h"
#include "base/budget.h"
#include "base/clock.h"
#include "shm/stats.h"
#include "shm/targets.h"
#include "store/admin.h"
#include "wire/json_write.h"

#include <apr_version.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES (16 * 1024 * 1024)
#define SLOW_TURN_MS 1000

/* --- checks ------------------------------------------------------------- */

typedef enum { CHECK_OK, CHECK_WARNING, CHECK_ERROR } check_state_t;

static const char *const state_names[] = {"ok", "warning", "error"};

typedef struct checks_t {
    bl_buf_t *out;
    int is_zh;
    int count;
    check_state_t worst;
} checks_t;

/* What was found; its fix NULL: nothing to do. */
static void put_check(checks_t *c, const char *name, check_state_t state,
                      const bl_said_t *found, const char *fix)
{
    bl_said_t advice;
    char text[BL_SAY_TEXT];
    int i;

    bl_buf_puts(c->out, c->count++ ? ",{\"name\":" : "{\"name\":");
    bl_json_puts(c->out, name);
    bl_buf_printf(c->out, ",\"state\":\"%s\",\"code\":\"%s\",\"values\":[",
                  state_names[state], bl_say_code(found->en));
    for (i = 0; i < bl_say_places(found->en); i++) {
        if (i) bl_buf_puts(c->out, ",");
        bl_json_puts(c->out, found->values[i]);
    }
    bl_said_text(found, c->is_zh, NULL, text);
    bl_buf_puts(c->out, "],\"detail\":");
    bl_json_puts(c->out, text);
    bl_buf_puts(c->out, ",\"fix\":");
    if (fix) {
        bl_say(&advice, fix);
        bl_said_text(&advice, c->is_zh, NULL, text);
        bl_json_puts(c->out, text);
    }
    else {
        bl_buf_puts(c->out, "null");
    }
    bl_buf_puts(c->out, "}");
    if (state > c->worst) c->worst = state;
}

static void check(checks_t *c, const char *name, check_state_t state,
                  const char *en, const char *fix)
{
    bl_said_t found;

    bl_say(&found, en);
    put_check(c, name, state, &found, fix);
}

static void check_count(checks_t *c, const char *name, check_state_t state,
                        const char *en, apr_int64_t n, apr_int64_t of,
                        const char *fix)
{
    bl_say_number_t first, second;
    bl_said_t found;

    bl_say(&found, en, bl_say_number(first, n), bl_say_number(second, of));
    put_check(c, name, state, &found, fix);
}

/* What it is, and what to do. */
static void put_trouble(checks_t *c, const bl_store_health_t *health)
{
    const bl_error_t *e = bl_error(health->last);
    bl_said_t found;

    switch (health->trouble) {
    case BL_TROUBLE_GONE:
        check(c, "store", CHECK_ERROR,
              BL_SAY("The database file or its lock file was moved, deleted or "
                     "replaced: nothing is stored."),
              BL_SAY("Put back what was there: it is noticed by itself. Or "
                     "restart httpd, to go on with what is there now."));
        return;
    case BL_TROUBLE_FULL:
        check_count(c, "store", CHECK_ERROR,
                    BL_SAY("The disk of the database is full: {1} MB are free, "
                           "{2} rows wait in memory."),
                    (apr_int64_t)(health->free_bytes >> 20), health->queued,
                    BL_SAY("Make room on it: what waits is written by itself "
                           "within seconds."));
        return;
    case BL_TROUBLE_LOCKED:
        check_count(c, "store", CHECK_ERROR,
                    BL_SAY("Another program holds the database locked: {1} "
                           "rows wait in memory."),
                    health->queued, 0,
                    BL_SAY("Find it with fuser -v and the path of the "
                           "database, and end it; what waits is written by "
                           "itself then."));
        return;
    case BL_TROUBLE_READONLY:
        check(c, "store", CHECK_ERROR,
              BL_SAY("The database file or its folder cannot be written by "
                     "httpd's user."),
              BL_SAY("Give both to that user, modes 0600 and 0700, and look "
                     "whether the file system is mounted read-only."));
        return;
    default:
        bl_say(&found, BL_SAY("The database cannot be written: {1}"),
               c->is_zh ? e->zh : e->en);
        put_check(c, "store", CHECK_ERROR, &found,
                  BL_SAY("See the error log, the free space of the disk, and "
                         "bailianctl db check."));
    }
}

static void check_store(bl_admin_call_t *a, checks_t *c)
{
    bl_store_health_t health;

    bl_store_health(a->store, &health);
    if (health.trouble == BL_TROUBLE_NONE)
        check(c, "store", CHECK_OK,
              BL_SAY("The database takes what is written."), NULL);
    else
        put_trouble(c, &health);
    if (health.is_guarded)
        check(
            c, "storeGuard", CHECK_OK,
            BL_SAY(
                "Checkpoints and writers of all processes exclude each other."),
            NULL);
    else
        check(c, "storeGuard", CHECK_ERROR,
              BL_SAY("The guard against SQLite's fault with checkpoints beside "
                     "writers does not work."),
              BL_SAY("Put the database on a local file system that knows OFD "
                     "locks."));
}

#define KEYS_LOOKED_AT 500

static void check_master_key(bl_admin_call_t *a, checks_t *c)
{
    bl_list_ask_t ask = {NULL, 0, NULL, NULL, NULL, 0, KEYS_LOOKED_AT};
    json_t *rows, *row;
    size_t i, sealed = 0;

    if (bl_store_key_rows(a->store, &ask, &rows) != APR_SUCCESS) return;
    for (i = 0; i < json_array_size(rows); i++) {
        row = json_array_get(rows, i);
        sealed += !json_is_true(json_object_get(row, "canBeOpened"));
    }
    if (!sealed)
        check(c, "masterKey", CHECK_OK, BL_SAY("It opens the stored API keys."),
              NULL);
    else
        check_count(
            c, "masterKey", CHECK_ERROR,
            BL_SAY("{1} of the first {2} API keys cannot be opened."),
            (apr_int64_t)sealed, (apr_int64_t)json_array_size(rows),
            BL_SAY("Put the master key back that they were sealed with, and "
                   "restart httpd; or enter these keys again."));
    json_decref(rows);
}

static void check_upstream(bl_admin_call_t *a, checks_t *c,
                           const bl_upstream_t *u)
{
    const bl_shm_t *shm = bl_engine_shm(a->call->engine);
    const char *name = apr_pstrcat(a->r->pool, "upstream.", u->name, NULL);
    bl_target_health_t health;
    int i, usable = 0;

    for (i = 0; i < u->key_count; i++) {
        bl_key_health(shm, u->keys[i].id, u->keys[i].version, bl_clock_ms(),
                      &health);
        usable += health.state == BL_TARGET_READY;
    }
    bl_upstream_health(shm, u->id, bl_clock_ms(), &health);
    if (health.state == BL_TARGET_OPEN) {
        check(c, name, CHECK_ERROR,
              BL_SAY("It failed several times in a row: it is asked once every "
                     "5 s."),
              BL_SAY("See its last error on the pages Keys and Ends."));
    }
    else if (!u->key_count) {
        check(c, name, CHECK_WARNING,
              BL_SAY("It has no API key that is enabled."),
              BL_SAY("Add or enable a key."));
    }
    else if (!usable) {
        check(c, name, CHECK_ERROR,
              BL_SAY("Each of its keys rests or was refused."),
              BL_SAY("Test its keys, and replace those that were refused."));
    }
    else {
        check_count(c, name, CHECK_OK, BL_SAY("{1} of {2} keys are usable."),
                    usable, u->key_count, NULL);
    }
}

static void check_catalog(bl_admin_call_t *a, checks_t *c)
{
    bl_catalog_t *catalog = bl_store_catalog(a->store);
    int i;

    if (bl_catalog_app(catalog, NULL))
        check(c, "app", CHECK_OK, BL_SAY("There is a default app."), NULL);
    else
        check(c, "app", CHECK_WARNING,
              catalog->app_count ? BL_SAY("No app is the default one.")
                                 : BL_SAY("There is no app."),
              catalog->app_count
                  ? BL_SAY("Add an app, and make it the default one.")
                  : BL_SAY("Add an upstream, a key for it, and an app that "
                           "uses it; make that the default one."));
    for (i = 0; i < catalog->upstream_count; i++)
        check_upstream(a, c, &catalog->upstreams[i]);
    bl_catalog_unref(catalog);
}

static void check_httpd(bl_admin_call_t *a, checks_t *c)
{
    int warnings = bl_conf_mpm_warnings();

    if (ap_find_linked_module("mod_reqtimeout.c"))
        check(c, "requestTimeout", CHECK_OK,
              BL_SAY("mod_reqtimeout is loaded."), NULL);
    else
        check(c, "requestTimeout", CHECK_WARNING,
              BL_SAY("Clients that send their request slowly hold workers."),
              BL_SAY("Load mod_reqtimeout and set RequestReadTimeout "
                     "header=20-40 body=20"));
    if (!warnings)
        check(c, "mpmLimits", CHECK_OK, BL_SAY("The MPM's limits fit."), NULL);
    else
        check_count(c, "mpmLimits", CHECK_WARNING,
                    BL_SAY("{1} warnings at the start: the MPM's limits do not "
                           "fit the streams that are allowed."),
                    warnings, 0,
                    BL_SAY("See BL1811 to BL1815 in the error log."));
    if (bl_park_is_possible(a->r) && a->call->conf.async != BL_ASYNC_SYNC)
        check(c, "parking", CHECK_OK, BL_SAY("Streams hold no worker."), NULL);
    else
        check(c, "parking", CHECK_WARNING,
              BL_SAY("The connection of this very request could not be parked: "
                     "such streams hold a worker each."),
              BL_SAY(
                  "Use the event MPM of httpd 2.4.63 or newer, and HTTP/1.1."));
    check(c, "deflate", CHECK_OK,
          ap_find_linked_module("mod_deflate.c")
              ? BL_SAY("mod_deflate is loaded; streams are exempt from it.")
              : BL_SAY("mod_deflate is not loaded."),
          NULL);
}

static void check_reactors(bl_admin_call_t *a, checks_t *c)
{
    const bl_shm_t *shm = bl_engine_shm(a->call->engine);
    unsigned longest = 0;
    int i;

    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        unsigned ms = bl_slot_get(&shm->children[i], turn_longest_ms);

        if (bl_slot_get(&shm->children[i], pid) && ms > longest) longest = ms;
    }
    check_count(c, "reactor", longest < SLOW_TURN_MS ? CHECK_OK : CHECK_WARNING,
                BL_SAY("The longest turn took {1} ms."), longest, 0,
                longest < SLOW_TURN_MS
                    ? NULL
                    : BL_SAY("The machine is too slow, or was suspended: look "
                             "at its load."));
}

#define MIB(bytes) ((apr_int64_t)((bytes) / (1024 * 1024)))

static void check_memory(bl_admin_call_t *a, checks_t *c)
{
    const bl_shm_t *shm = bl_engine_shm(a->call->engine);
    apr_uint64_t held = bl_stats_held(shm), budget = bl_stats_budget(shm);
    int is_high = bl_budget_is_above(bl_engine_budget(a->call->engine),
                                     BL_BUDGET_HIGH_PERCENT, BL_STREAM_BYTES);

    if (!budget)
        check_count(c, "memory", CHECK_OK,
                    BL_SAY("Streams hold {1} MiB; there is no budget."),
                    MIB(held), 0, NULL);
    else
        check_count(
            c, "memory", is_high ? CHECK_WARNING : CHECK_OK,
            is_high ? BL_SAY("Streams hold {1} MiB of {2}: new ones are "
                             "refused.")
                    : BL_SAY("Streams hold {1} MiB of {2}."),
            MIB(held), MIB(budget),
            is_high ? BL_SAY("Raise BailianMemoryBudget if the machine has "
                             "more, or allow fewer streams.")
                    : NULL);
}

static int health(bl_admin_call_t *a)
{
    bl_store_health_t store;
    bl_buf_t list, out;
    checks_t c = {&list, a->call->lang == BL_LANG_ZH, 0, CHECK_OK};
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    apr_status_t rv;

    bl_store_health(a->store, &store);
    bl_buf_init(&list, OUT_BYTES);
    bl_buf_init(&out, OUT_BYTES);
    check_store(a, &c);
    check_master_key(a, &c);
    check_catalog(a, &c);
    check_httpd(a, &c);
    check_reactors(a, &c);
    check_memory(a, &c);
    bl_buf_printf(&out, "{\"state\":\"%s\",\"versions\":{\"module\":\"%s\"",
                  state_names[c.worst], BL_VERSION);
    bl_buf_puts(&out, ",\"httpd\":");
    bl_json_puts(&out, ap_get_server_description());
    bl_buf_puts(&out, ",\"apr\":");
    bl_json_puts(&out, apr_version_string());
    bl_buf_printf(&out, ",\"curl\":\"libcurl/%s %s\"", curl->version,
                  curl->ssl_version);
    bl_buf_printf(&out, ",\"sqlite\":\"%s\"},\"checks\":[",
                  store.sqlite_version);
    bl_buf_append(&out, list.data, list.len);
    bl_buf_puts(&out, "]}\n");
    rv = bl_buf_status(&list);
    bl_buf_release(&list);
    return bl_admin_answer(a, rv, HTTP_OK, &out);
}

/* --- history ------------------------------------------------------------ */

static int history(bl_admin_call_t *a)
{
    const char *series = bl_admin_param(a, "series");
    const char *range = bl_admin_param(a, "range");
    int is_hour = !range || !strcmp(range, "1h");
    bl_buf_t out;
    apr_status_t rv;

    if (!is_hour && strcmp(range, "5m")) {
        return bl_admin_problem(a, BL_E_BAD_VALUE, "range",
                                BL_SAY("must be 5m or 1h"));
    }
    bl_buf_init(&out, OUT_BYTES);
    rv = bl_admin_trend(bl_engine_shm(a->call->engine),
                        series ? series : "live,events",
                        is_hour ? BL_RANGE_HOUR : BL_RANGE_MINUTES, &out);
    if (rv != BL_E_BAD_VALUE) return bl_admin_answer(a, rv, HTTP_OK, &out);
    bl_buf_release(&out);
    return bl_admin_problem(a, rv, "series",
                            BL_SAY("must be names of series, with commas"));
}

/* --- metrics ------------------------------------------------------------ */

int bl_admin_metrics_page(bl_admin_call_t *a)
{
    bl_store_health_t store;
    bl_buf_t out;
    apr_status_t rv;
    int rc;

    if (!bl_call_method_is(a->r, a->call, "GET", &rc)) return rc;
    bl_store_health(a->store, &store);
    bl_buf_init(&out, OUT_BYTES);
    rv = bl_admin_metrics(bl_engine_shm(a->call->engine), &store, &out);
    return bl_call_answer_made(a->r, a->call, rv, HTTP_OK,
                               "text/plain; version=0.0.4; charset=utf-8",
                               &out);
}

const bl_route_t bl_admin_health_routes[] = {
    {"GET", "api/health", BL_ROLE_VIEWER, health},
    {"GET", "api/history", BL_ROLE_VIEWER, history},
    {"GET", "api/pathcheck", BL_ROLE_VIEWER, bl_admin_pathcheck},
    {NULL, NULL, BL_ROLE_NONE, NULL}};

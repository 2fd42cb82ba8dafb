/* SPDX-License-Identifier: Apache-2.0 */
/* R02 for the admin: with each allocation failing in turn a caller is made and
 * changed whole or not at all, and what is shown is whole or an error. */
#include "engine_env.h"
#include "nomem.h"

#include "admin/objects.h"
#include "base/json.h"
#include "shm/targets.h"
#include "store/admin.h"
#include "store/clients.h"
#include "store/retention.h"

#define NEW_CALLER                                                             \
    "\"apps\":[\"qa\",\"faq\"],\"scopes\":[\"ask\"],\"maxStreams\":3,"         \
    "\"note\":\"a note\""

static engine_env_t ee;
static int number; /* of a thing that is made */
static int done;

static int open_env(void **state)
{
    (void)state;
    number = done = 0;
    bl_log_install(log_nothing, BL_LOG_WARNING);
    engine_env_start(&ee, stub_hello, NULL);
    return 0;
}

static int close_env(void **state)
{
    (void)state;
    engine_env_close(&ee);
    return 0;
}

static bl_store_t *store(void)
{
    return bl_engine_store(ee.engine);
}

/* Why something may fail that ran out of memory. */
static void assert_told(apr_status_t rv)
{
    if (rv != APR_SUCCESS && rv != APR_ENOMEM && rv != BL_E_OVERLOADED &&
        rv != BL_E_STORE_UNAVAILABLE)
    {
        fail_msg("%d %s", rv, bl_error(rv)->code);
    }
}

static json_t *object_of(const char *text)
{
    json_t *object = json_loads(text, 0, NULL);

    assert_non_null(object);
    return object;
}

/* --- callers are changed ------------------------------------------------ */

static json_t *new_caller(const char *name)
{
    char text[512];

    snprintf(text, sizeof(text), "{\"name\":\"%s\"," NEW_CALLER "}", name);
    return object_of(text);
}

static apr_int64_t add_caller(const char *name)
{
    char token[BL_CLIENT_TOKEN_TEXT + 1];
    bl_change_t change = {0};
    json_t *fields;
    apr_int64_t id;

    fields = new_caller(name);
    assert_int_equal(
        bl_store_do_client_add(store(), &env_who, fields, &id, token, &change),
        APR_SUCCESS);
    json_decref(fields);
    return id;
}

static void add_one(void *ctx)
{
    char token[BL_CLIENT_TOKEN_TEXT + 1], text[160];
    const char *whole = ctx;
    bl_change_t change = {0};
    json_t *fields;
    apr_int64_t id;
    apr_status_t rv;

    nomem_off();
    snprintf(text, sizeof(text), "c%d", ++number);
    fields = new_caller(text);
    nomem_on();
    rv = bl_store_do_client_add(store(), &env_who, fields, &id, token, &change);
    nomem_enough();
    json_decref(fields);
    assert_told(rv);
    snprintf(text, sizeof(text),
             "SELECT json_remove(settings, '$.last4') FROM client"
             " WHERE name = 'c%d'",
             number);
    assert_string_equal(env_sql(&ee.env, text), rv == APR_SUCCESS ? whole : "");
    if (rv != APR_SUCCESS) return;
    done++;
    snprintf(text, sizeof(text),
             "SELECT settings ->> '$.last4' FROM client WHERE name = 'c%d'",
             number);
    assert_string_equal(env_sql(&ee.env, text), token + strlen(token) - 4);
    /* The catalog must not grow, or more would be left to fail each time. */
    assert_int_equal(bl_store_do_client_verb(store(), &env_who, id,
                                             BL_CLIENT_DELETE, &change),
                     APR_SUCCESS);
}

/* Its line in the audit is there exactly when it is, and names each member. */
static void assert_audited(const char *action, int lines, const char *detail)
{
    char sql[200], told[16];

    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM audit WHERE action = '%s'"
             " AND detail = '%s'",
             action, detail);
    snprintf(told, sizeof(told), "%d", lines);
    assert_string_equal(env_sql(&ee.env, sql), told);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit WHERE action = '%s'",
             action);
    assert_string_equal(env_sql(&ee.env, sql), told);
}

static void test_nomem_caller_is_added_whole_or_not(void **state)
{
    char whole[1024];

    (void)state;
    add_caller("first");
    snprintf(whole, sizeof(whole), "%s",
             env_sql(&ee.env, "SELECT json_remove(settings, '$.last4')"
                              " FROM client WHERE name = 'first'"));
    assert_non_null(strstr(whole, "[\"qa\",\"faq\"]"));
    assert_true(nomem_each(add_one, whole, 1) > 20);
    assert_true(done > 0);
    snprintf(whole, sizeof(whole), "%s",
             "[\"name\",\"apps\",\"scopes\",\"maxStreams\",\"note\"]");
    assert_string_equal(env_sql(&ee.env, "SELECT detail FROM audit"
                                         " WHERE object = 'first'"),
                        whole);
    assert_audited("caller.add", done + 1, whole);
}

static void change_note(void *ctx)
{
    char text[256], before[1024];
    apr_int64_t id = *(const apr_int64_t *)ctx;
    bl_change_t change = {0};
    json_t *fields;
    apr_status_t rv;

    nomem_off();
    snprintf(before, sizeof(before), "%s",
             env_sql(&ee.env, "SELECT settings FROM client"));
    snprintf(text, sizeof(text), "{\"note\":\"note %d\"}", ++number);
    fields = object_of(text);
    nomem_on();
    rv = bl_store_do_client_patch(store(), &env_who, id, fields, &change);
    nomem_enough();
    json_decref(fields);
    assert_told(rv);
    if (rv != APR_SUCCESS) {
        assert_string_equal(env_sql(&ee.env, "SELECT settings FROM client"),
                            before);
        return;
    }
    done++;
    snprintf(text, sizeof(text),
             "SELECT settings ->> '$.note', settings ->> '$.apps',"
             " settings ->> '$.maxStreams' FROM client");
    snprintf(before, sizeof(before), "note %d|[\"qa\",\"faq\"]|3", number);
    assert_string_equal(env_sql(&ee.env, text), before);
}

static void test_nomem_caller_is_changed_whole_or_not(void **state)
{
    apr_int64_t id = add_caller("first");

    (void)state;
    assert_true(nomem_each(change_note, &id, 1) > 20);
    assert_true(done > 0);
    assert_audited("caller.put", done, "[\"note\"]");
}

/* --- what is shown ------------------------------------------------------ */

typedef apr_status_t show_fn(json_t **pshown);

typedef struct shown_t {
    show_fn *fn;
    json_t *whole; /* when memory does not fail */
} shown_t;

static void show(void *ctx)
{
    const shown_t *shown = ctx;
    json_t *got = NULL;
    apr_status_t rv = shown->fn(&got);

    nomem_enough();
    assert_told(rv);
    if (rv == APR_SUCCESS && !json_equal(got, shown->whole)) {
        fail_msg("%s\n is not\n%s", json_dumps(got, JSON_COMPACT),
                 json_dumps(shown->whole, JSON_COMPACT));
    }
    json_decref(got);
}

static void assert_whole_or_told(show_fn *fn)
{
    shown_t shown = {fn, NULL};

    assert_int_equal(fn(&shown.whole), APR_SUCCESS);
    assert_true(nomem_each(show, &shown, 1) > 2);
    json_decref(shown.whole);
}

static apr_status_t callers(json_t **pshown)
{
    return bl_store_clients(store(), NULL, "first", 0, 1, pshown);
}

static apr_status_t one_caller(json_t **pshown)
{
    return bl_store_client(store(), 1, NULL, pshown);
}

static void test_nomem_caller_is_shown_whole_or_not(void **state)
{
    (void)state;
    add_caller("first");
    add_caller("first-too");
    assert_whole_or_told(callers);
    assert_whole_or_told(one_caller);
}

/* The first row as the page has it: only showing it may fail. */
static apr_status_t
first_row(apr_status_t (*list)(bl_store_t *, const bl_list_ask_t *, json_t **),
          apr_status_t (*fn)(json_t *, const bl_shm_t *, bl_ms_t),
          json_t **pshown)
{
    bl_list_ask_t ask;
    json_t *rows;
    apr_status_t rv;

    nomem_off();
    memset(&ask, 0, sizeof(ask));
    assert_int_equal(list(store(), &ask, &rows), APR_SUCCESS);
    nomem_on();
    rv = fn(json_array_get(rows, 0), ee.shm, 1000);
    if (rv == APR_SUCCESS) *pshown = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return rv;
}

static apr_status_t key(json_t **pshown)
{
    return first_row(bl_store_key_rows, bl_admin_show_key, pshown);
}

static apr_status_t upstream(json_t **pshown)
{
    return first_row(bl_store_upstream_rows, bl_admin_show_upstream, pshown);
}

static void test_nomem_health_is_shown_whole_or_not(void **state)
{
    json_t *row;

    (void)state;
    bl_key_tell(bl_key_place(ee.shm, 1, 1), BL_E_UPSTREAM_CUT, 0, 900);
    bl_upstream_tell(bl_upstream_place(ee.shm, 1), BL_E_UPSTREAM_CUT, 900);
    assert_int_equal(key(&row), APR_SUCCESS);
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(row, "errors"), "upstream_cut")),
                     1);
    assert_null(json_object_get(row, "sealVersion"));
    json_decref(row);
    assert_whole_or_told(key);
    assert_whole_or_told(upstream);
}

static apr_status_t settings(json_t **pshown)
{
    apr_int64_t version;
    bl_buf_t out;
    apr_status_t rv;

    bl_buf_init(&out, 64 * 1024);
    rv = bl_store_settings(store(), &out, &version);
    nomem_off();
    if (rv == APR_SUCCESS) *pshown = object_of(bl_buf_str(&out));
    nomem_on();
    bl_buf_release(&out);
    return rv;
}

static void test_nomem_settings_are_shown_whole_or_not(void **state)
{
    (void)state;
    assert_whole_or_told(settings);
}

/* --- objects and arrays that are made ----------------------------------- */

static void make(void *ctx)
{
    json_t *list = json_array(), *object = json_object();

    (void)ctx;
    bl_json_append(&list, json_integer(1));
    bl_json_append(&list, json_string("two"));
    bl_json_set(&object, "list", list);
    bl_json_set(&object, "three", json_integer(3));
    nomem_enough();
    if (!object) return;
    done++;
    assert_int_equal(json_object_size(object), 2);
    assert_int_equal(json_array_size(json_object_get(object, "list")), 2);
    json_decref(object);
}

static void test_nomem_object_is_whole_or_none(void **state)
{
    (void)state;
    done = 0;
    assert_true(nomem_each(make, NULL, 1) > 5);
    assert_int_equal(done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nomem_object_is_whole_or_none),
        cmocka_unit_test_setup_teardown(test_nomem_caller_is_added_whole_or_not,
                                        open_env, close_env),
        cmocka_unit_test_setup_teardown(
            test_nomem_caller_is_changed_whole_or_not, open_env, close_env),
        cmocka_unit_test_setup_teardown(test_nomem_caller_is_shown_whole_or_not,
                                        open_env, close_env),
        cmocka_unit_test_setup_teardown(test_nomem_health_is_shown_whole_or_not,
                                        open_env, close_env),
        cmocka_unit_test_setup_teardown(
            test_nomem_settings_are_shown_whole_or_not, open_env, close_env),
    };

    nomem_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that name a revision, keys by the dozen, the audit read. */
#include "store_env.h"

#include "base/secret.h"
#include "store/admin.h"

#define URL "{\"baseUrl\":\"https://a.example/api/v1\"}"
#define SECRET "sk-canary0123456789abcdWXYZ"
#define OTHER "sk-canary9876543210dcbaOPQR"

static void open_with_upstream(env_t *env)
{
    bl_change_t change = {0};

    env_open(env);
    assert_int_equal(bl_store_do_upstream_change(env->store, &env_who, "up",
                                                 URL, BL_PUT_NEW, &change),
                     APR_SUCCESS);
    assert_int_equal(change.present, 1);
}

static bl_new_key_t new_key(const char *name, const char *secret)
{
    bl_new_key_t key;

    memset(&key, 0, sizeof(key));
    key.upstream = "up";
    key.name = name;
    key.secret = secret;
    return key;
}

static json_t *key_row(bl_store_t *s, apr_int64_t id)
{
    bl_list_ask_t ask;
    json_t *rows, *row;

    memset(&ask, 0, sizeof(ask));
    ask.id = id;
    assert_int_equal(bl_store_key_rows(s, &ask, &rows), APR_SUCCESS);
    row = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return row;
}

/* A01: who was slower is told, and changes nothing. */
static void test_change_based_on_an_old_revision_is_refused_a01(void **state)
{
    env_t env;
    bl_change_t change;

    (void)state;
    open_with_upstream(&env);
    memset(&change, 0, sizeof(change));
    change.revision = 1;
    assert_int_equal(bl_store_do_upstream_change(env.store, &env_who, "up",
                                                 "{\"note\":\"first\"}",
                                                 BL_PUT_EXISTING, &change),
                     APR_SUCCESS);
    assert_int_equal(change.present, 2);
    assert_int_equal(bl_store_do_upstream_change(env.store, &env_who, "up",
                                                 "{\"note\":\"second\"}",
                                                 BL_PUT_EXISTING, &change),
                     BL_E_VERSION_CONFLICT);
    assert_int_equal(change.present, 2);
    assert_string_equal(env_sql(&env, "SELECT note, revision FROM upstream"),
                        "first|2");
    assert_int_equal(
        bl_store_do_upstream_drop(env.store, &env_who, "up", &change),
        BL_E_VERSION_CONFLICT);
    assert_string_equal(
        env_sql(&env, "SELECT count(*) FROM audit WHERE object = 'up'"), "2");
    env_close(&env);
}

static int upstreams_known(bl_store_t *s)
{
    bl_catalog_t *catalog;
    int count;

    bl_store_catch_up(s);
    catalog = bl_store_catalog(s);
    count = catalog->upstream_count;
    bl_catalog_unref(catalog);
    return count;
}

/* A02: no wait for the writer's next look, in either direction. */
static void
test_change_of_another_process_holds_from_the_next_request_a02(void **state)
{
    env_t env;
    bl_store_t *both[2];
    bl_change_t change;
    char name[16];
    int i;

    (void)state;
    open_with_upstream(&env);
    both[0] = env.store;
    both[1] = env_second(&env);
    for (i = 0; i < 20; i++) {
        memset(&change, 0, sizeof(change));
        snprintf(name, sizeof(name), "up%d", i);
        assert_int_equal(bl_store_do_upstream_change(both[i % 2], &env_who,
                                                     name, URL, BL_PUT_NEW,
                                                     &change),
                         APR_SUCCESS);
        assert_int_equal(upstreams_known(both[(i + 1) % 2]), i + 2);
        assert_int_equal(upstreams_known(both[i % 2]), i + 2);
    }
    bl_store_close(both[1], 0);
    env_close(&env);
}

static void test_bad_field_is_named(void **state)
{
    env_t env;
    bl_change_t change;

    (void)state;
    open_with_upstream(&env);
    memset(&change, 0, sizeof(change));
    assert_int_equal(
        bl_store_do_app_change(env.store, &env_who, "qa",
                               "{\"upstream\":\"none\",\"appId\":\"x\"}",
                               BL_PUT_NEW, &change),
        BL_E_BAD_VALUE);
    assert_string_equal(change.why.field, "upstream");
    assert_int_equal(
        bl_store_do_app_change(env.store, &env_who, "qa",
                               "{\"upstream\":\"up\",\"appId\":\"x\","
                               "\"heartbeatMs\":9}",
                               BL_PUT_NEW, &change),
        BL_E_BAD_VALUE);
    assert_string_equal(change.why.field, "heartbeatMs");
    assert_string_equal(change.why.said.values[0], "10");
    env_close(&env);
}

/* A08: each item is looked at, and one that is wrong keeps all out. */
static void test_keys_are_added_all_or_none_a08(void **state)
{
    env_t env;
    bl_new_key_t keys[4];

    (void)state;
    open_with_upstream(&env);
    keys[0] = new_key("a", SECRET);
    keys[1] = new_key("a", SECRET);
    keys[2] = new_key("b", "short");
    keys[3] = new_key("c", SECRET);
    keys[3].fields = "{\"weight\":1001}";
    assert_int_not_equal(bl_store_do_keys_new(env.store, &env_who, keys, 4, 0),
                         APR_SUCCESS);
    assert_int_equal(keys[0].rv, APR_SUCCESS);
    assert_int_equal(keys[1].rv, BL_E_CONFLICT);
    assert_string_equal(keys[2].why.field, "secret");
    assert_string_equal(keys[3].why.field, "weight");
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM api_key"), "0");
    assert_string_equal(
        env_sql(&env, "SELECT count(*) FROM audit WHERE action = 'key.add'"),
        "0");
    env_close(&env);
}

static void test_dry_run_checks_all_and_keeps_nothing(void **state)
{
    env_t env;
    bl_new_key_t keys[2];

    (void)state;
    open_with_upstream(&env);
    keys[0] = new_key("a", SECRET);
    keys[1] = new_key("b", OTHER);
    assert_int_equal(bl_store_do_keys_new(env.store, &env_who, keys, 2, 1),
                     APR_SUCCESS);
    assert_string_equal(keys[1].last4, "OPQR");
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM api_key"), "0");
    assert_string_equal(
        env_sql(&env, "SELECT count(*) FROM setting WHERE name LIKE 'seal%'"),
        "0");
    assert_int_equal(bl_store_do_keys_new(env.store, &env_who, keys, 2, 0),
                     APR_SUCCESS);
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM api_key"), "2");
    env_close(&env);
}

static void test_replaced_secret_is_another_key_to_the_children(void **state)
{
    env_t env;
    bl_new_key_t key = new_key("a", SECRET);
    bl_change_t change;
    json_t *row;

    (void)state;
    open_with_upstream(&env);
    assert_int_equal(bl_store_do_keys_new(env.store, &env_who, &key, 1, 0),
                     APR_SUCCESS);
    memset(&change, 0, sizeof(change));
    change.revision = 1;
    assert_int_equal(
        bl_store_do_key_replace(env.store, &env_who, key.id, "no", &change),
        BL_E_BAD_VALUE);
    assert_string_equal(change.why.field, "secret");
    assert_int_equal(
        bl_store_do_key_replace(env.store, &env_who, key.id, OTHER, &change),
        APR_SUCCESS);
    row = key_row(env.store, key.id);
    assert_string_equal(json_string_value(json_object_get(row, "last4")),
                        "OPQR");
    assert_int_equal(json_integer_value(json_object_get(row, "version")), 2);
    assert_int_equal(json_integer_value(json_object_get(row, "sealVersion")),
                     2);
    json_decref(row);
    assert_string_equal(env_sql(&env,
                                "SELECT action FROM audit WHERE object = 'up/a'"
                                " ORDER BY id"),
                        "key.add|key.replace");
    env_close(&env);
}

static void test_audit_is_read_newest_first_and_filtered(void **state)
{
    env_t env;
    bl_audit_ask_t ask;
    json_t *rows;

    (void)state;
    open_with_upstream(&env);
    assert_int_equal(
        bl_store_do_audit(env.store, &env_who, "key.test", "k", "ok", "done"),
        APR_SUCCESS);
    assert_int_equal(bl_store_do_audit(env.store, &env_who, "key.restore", "k",
                                       NULL, "refused"),
                     APR_SUCCESS);
    memset(&ask, 0, sizeof(ask));
    ask.limit = 10;
    ask.action = "key.*";
    assert_int_equal(bl_store_audit_rows(env.store, &ask, &rows), APR_SUCCESS);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(rows, 0), "action")),
        "key.restore");
    json_decref(rows);
    ask.outcome = "refused";
    ask.action = NULL;
    assert_int_equal(bl_store_audit_rows(env.store, &ask, &rows), APR_SUCCESS);
    assert_int_equal(json_array_size(rows), 1);
    json_decref(rows);
    env_close(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_change_based_on_an_old_revision_is_refused_a01),
        cmocka_unit_test(
            test_change_of_another_process_holds_from_the_next_request_a02),
        cmocka_unit_test(test_bad_field_is_named),
        cmocka_unit_test(test_keys_are_added_all_or_none_a08),
        cmocka_unit_test(test_dry_run_checks_all_and_keeps_nothing),
        cmocka_unit_test(test_replaced_secret_is_another_key_to_the_children),
        cmocka_unit_test(test_audit_is_read_newest_first_and_filtered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

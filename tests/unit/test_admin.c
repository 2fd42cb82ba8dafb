/* SPDX-License-Identifier: Apache-2.0 */
/* Upstreams, apps and sealed keys: what an admin changes, what children see. */
#include "store_env.h"

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/keyring.h"
#include "store/alerts.h"
#include "store/lock.h"

#include <unistd.h>

#define URL                                                                    \
    "{\"kind\":\"bailian-app\",\"baseUrl\":\"https://a.example/api/v1\"}"
#define SECRET "sk-canary0123456789abcdWXYZ"

static char err[1024];

static apr_status_t put_upstream(bl_store_t *s, const char *name,
                                 const char *fields)
{
    return bl_store_do_upstream_put(s, &env_who, name, fields, BL_PUT_ANY, err,
                                    sizeof(err));
}

static apr_status_t put_app(bl_store_t *s, const char *name, const char *fields)
{
    return bl_store_do_app_put(s, &env_who, name, fields, BL_PUT_ANY, err,
                               sizeof(err));
}

static void open_with_upstream(env_t *env)
{
    env_open(env);
    assert_int_equal(put_upstream(env->store, "up", URL), APR_SUCCESS);
}

/* Waits until the writer has looked, which it does twice a second. */
static bl_catalog_t *catalog_after(bl_store_t *s, apr_int64_t version)
{
    bl_catalog_t *c = NULL;
    int i;

    for (i = 0; i < 6000; i++) {
        c = bl_store_catalog(s);
        if (c->version > version) return c;
        bl_catalog_unref(c);
        usleep(10000);
    }
    fail_msg("the catalog did not change");
    return NULL;
}

/* --- fields ----------------------------------------------------------------
 */

static void test_admin_bad_fields_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *fields, *reason;
    } bad[] = {
        {"", "JSON object"},
        {"[]", "JSON object"},
        {"{\"kind\":\"bailian-app\"}", "baseUrl is needed"},
        {"{\"kind\":\"x\",\"baseUrl\":\"https://a\"}", "bailian-app"},
        {"{\"kind\":\"bailian-app\",\"baseUrl\":\"ftp://a\"}", "https://"},
        {"{\"kind\":\"bailian-app\",\"baseUrl\":7}", "text"},
        {"{\"kind\":\"bailian-app\",\"baseUrl\":\"https://a\",\"http2\":1}",
         "true or false"},
        {"{\"kind\":\"bailian-app\",\"baseUrl\":\"https://a\",\"x\":1}",
         "x is not a member"},
        {"{\"kind\":\"bailian-app\",\"baseUrl\":\"https://a\","
         "\"workspace\":\"a\\nb\"}",
         "control"},
        {"{\"kind\":\"bailian-app\",\"baseUrl\":\"https://a\","
         "\"caFile\":\"ca.pem\"}",
         "absolute"},
        {"{\"kind\":\"bailian-app\",\"kind\":\"bailian-app\"}", "JSON object"},
    };
    env_t env;
    size_t i;

    (void)state;
    env_open(&env);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(put_upstream(env.store, "up", bad[i].fields),
                         BL_E_BAD_VALUE);
        if (!strstr(err, bad[i].reason)) {
            fail_msg("\"%s\" is not in: %s", bad[i].reason, err);
        }
    }
    assert_int_equal(put_upstream(env.store, "a b", URL), BL_E_BAD_VALUE);
    assert_string_equal(env_sql(&env, "SELECT count(*),"
                                      " (SELECT count(*) FROM audit)"
                                      " FROM upstream"),
                        "0|0");
    env_close(&env);
}

static void test_admin_bad_app_fields(void **state)
{
    static const char *const bad[] = {
        "{\"upstream\":\"up\"}",
        "{\"upstream\":\"none\",\"appId\":\"x\"}",
        "{\"upstream\":\"up\",\"appId\":\"a/../b\"}",
        "{\"upstream\":\"up\",\"appId\":\"a?b\"}",
        "{\"upstream\":\"up\",\"appId\":\"a%2fb\"}",
        "{\"upstream\":\"up\",\"appId\":\"x\",\"flow\":\"other\"}",
        "{\"upstream\":\"up\",\"appId\":\"x\",\"policy\":\"keep\"}",
        "{\"upstream\":\"up\",\"appId\":\"x\",\"retries\":11}",
        "{\"upstream\":\"up\",\"appId\":\"x\",\"retries\":-1}",
        "{\"upstream\":\"up\",\"appId\":\"x\",\"gapTimeoutMs\":1.5}",
        "{\"upstream\":\"up\",\"appId\":\"x\",\"gapTimeoutMs\":86400001}",
        "{\"upstream\":\"up\",\"appId\":\"x\",\"parameters\":[]}",
        "{\"upstream\":\"up\",\"appId\":\"x\",\"thinking\":\"on\"}",
        "{\"upstream\":null,\"appId\":\"x\"}",
    };
    env_t env;
    size_t i;

    (void)state;
    open_with_upstream(&env);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (put_app(env.store, "qa", bad[i]) != BL_E_BAD_VALUE || !*err) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    env_close(&env);
}

static void test_admin_new_and_existing(void **state)
{
    env_t env;

    (void)state;
    env_open(&env);
    assert_int_equal(bl_store_do_upstream_put(env.store, &env_who, "up", URL,
                                              BL_PUT_EXISTING, err,
                                              sizeof(err)),
                     BL_E_NOT_FOUND);
    assert_int_equal(bl_store_do_upstream_put(env.store, &env_who, "up", URL,
                                              BL_PUT_NEW, err, sizeof(err)),
                     APR_SUCCESS);
    assert_int_equal(bl_store_do_upstream_put(env.store, &env_who, "up", URL,
                                              BL_PUT_NEW, err, sizeof(err)),
                     BL_E_CONFLICT);
    env_close(&env);
}

/* --- catalog ---------------------------------------------------------------
 */

static void test_catalog_holds_what_was_put(void **state)
{
    const bl_app_t *a;
    bl_catalog_t *c;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    assert_int_equal(
        put_app(env.store, "qa",
                "{\"upstream\":\"up\",\"appId\":\"1234\",\"thoughts\":true,"
                "\"thinking\":false,\"flow\":\"message_format_plus\","
                "\"answerNodes\":\"a,b\",\"parameters\":{\"top_k\":3},"
                "\"workspace\":\"w\",\"gapTimeoutMs\":90000,\"retries\":0,"
                "\"policy\":\"detach 60s\"}"),
        APR_SUCCESS);
    c = bl_store_catalog(env.store); /* at once in the process that did it */
    a = bl_catalog_app(c, "qa");
    assert_non_null(a);
    assert_ptr_equal(a, bl_catalog_app(c, NULL)); /* the first is the default */
    assert_ptr_equal(a, bl_catalog_app(c, ""));
    assert_ptr_equal(a, bl_catalog_app(c, "1234"));
    assert_null(bl_catalog_app(c, "other"));
    assert_string_equal(a->upstream->base_url, "https://a.example/api/v1");
    assert_string_equal(a->upstream->kind, "bailian-app");
    assert_int_equal(a->upstream->use_http2, 1);
    assert_null(a->upstream->proxy);
    assert_int_equal(a->is_incremental, 1);
    assert_int_equal(a->has_thoughts, 1);
    assert_int_equal(a->enable_thinking, 0);
    assert_int_equal(a->flow_mode, BL_FLOW_MESSAGE_PLUS);
    assert_string_equal(a->answer_nodes, "a,b");
    assert_string_equal(a->parameters, "{\"top_k\":3}");
    assert_string_equal(a->workspace, "w");
    assert_int_equal(a->gap_ms, 90000);
    assert_int_equal(a->total_ms, -1);
    assert_int_equal(a->retries, 0);
    assert_string_equal(a->policy, "detach 60s");
    bl_catalog_unref(c);
    /* Setting to null unsets. */
    assert_int_equal(put_app(env.store, "qa",
                             "{\"thinking\":null,\"retries\":null,"
                             "\"policy\":null,\"parameters\":null}"),
                     APR_SUCCESS);
    c = bl_store_catalog(env.store);
    a = bl_catalog_app(c, "qa");
    assert_int_equal(a->enable_thinking, -1);
    assert_int_equal(a->retries, -1);
    assert_string_equal(a->policy, "");
    assert_null(a->parameters);
    assert_int_equal(a->gap_ms, 90000);
    bl_catalog_unref(c);
    env_close(&env);
}

static void test_catalog_one_default(void **state)
{
    bl_catalog_t *c;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    put_app(env.store, "a", "{\"upstream\":\"up\",\"appId\":\"1\"}");
    put_app(env.store, "b", "{\"upstream\":\"up\",\"appId\":\"2\"}");
    c = bl_store_catalog(env.store);
    assert_string_equal(bl_catalog_app(c, NULL)->name, "a");
    bl_catalog_unref(c);
    assert_int_equal(put_app(env.store, "b", "{\"default\":true}"),
                     APR_SUCCESS);
    c = bl_store_catalog(env.store);
    assert_string_equal(bl_catalog_app(c, NULL)->name, "b");
    bl_catalog_unref(c);
    assert_int_equal(put_app(env.store, "b", "{\"default\":false}"),
                     APR_SUCCESS);
    c = bl_store_catalog(env.store);
    assert_null(bl_catalog_app(c, NULL));
    bl_catalog_unref(c);
    env_close(&env);
}

/* A change by another process is live soon, without a request too; a snapshot
 * that is held stays as it was. */
static void test_catalog_other_processes_see_a_change(void **state)
{
    bl_catalog_t *old, *fresh;
    bl_store_t *other;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    other = env_second(&env);
    old = bl_store_catalog(other);
    assert_int_equal(old->app_count, 0);
    put_app(env.store, "qa", "{\"upstream\":\"up\",\"appId\":\"1\"}");
    fresh = catalog_after(other, old->version);
    assert_int_equal(fresh->app_count, 1);
    assert_int_equal(old->app_count, 0);
    bl_catalog_unref(old);
    bl_catalog_unref(fresh);
    bl_store_close(other, 1000);
    env_close(&env);
}

static void test_admin_delete(void **state)
{
    env_t env;

    (void)state;
    open_with_upstream(&env);
    put_app(env.store, "qa", "{\"upstream\":\"up\",\"appId\":\"1\"}");
    assert_int_equal(bl_store_do_upstream_delete(env.store, &env_who, "up"),
                     BL_E_CONFLICT);
    assert_int_equal(bl_store_do_app_delete(env.store, &env_who, "none"),
                     BL_E_NOT_FOUND);
    assert_int_equal(bl_store_do_app_delete(env.store, &env_who, "qa"),
                     APR_SUCCESS);
    assert_int_equal(bl_store_do_upstream_delete(env.store, &env_who, "up"),
                     APR_SUCCESS);
    env_close(&env);
}

/* --- keys ------------------------------------------------------------------
 */

static apr_int64_t add_key(bl_store_t *s, const char *name)
{
    apr_int64_t id = 0;

    assert_int_equal(bl_store_do_key_add(s, &env_who, "up", name, SECRET, &id),
                     APR_SUCCESS);
    return id;
}

static void test_keys_add_and_open(void **state)
{
    bl_catalog_t *c;
    bl_keyring_t *k;
    char *secret;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    add_key(env.store, "main");
    assert_int_equal(bl_keyring_load(&k, env.key_path, err, sizeof(err)),
                     APR_SUCCESS);
    c = bl_store_catalog(env.store);
    assert_int_equal(c->upstreams[0].key_count, 1);
    assert_string_equal(c->upstreams[0].keys[0].last4, "WXYZ");
    assert_int_equal(bl_key_open(k, &c->upstreams[0].keys[0], &secret),
                     APR_SUCCESS);
    assert_string_equal(secret, SECRET);
    bl_secret_free(secret);
    assert_int_equal(bl_key_open(NULL, &c->upstreams[0].keys[0], &secret),
                     BL_E_KEYRING_MISSING);
    assert_null(secret);
    bl_catalog_unref(c);
    bl_keyring_close(k);
    env_close(&env);
}

/* S-42, I5: no list, no audit row and no file holds a part of the key. */
static void test_keys_are_shown_by_name_and_last_four(void **state)
{
    static const char *const suffixes[] = {"", "-wal"};
    bl_buf_t out;
    char name[128], *all;
    env_t env;
    FILE *f;
    int i;

    (void)state;
    open_with_upstream(&env);
    add_key(env.store, "main");
    bl_buf_init(&out, 1 << 20);
    assert_int_equal(bl_store_keys(env.store, &out), APR_SUCCESS);
    assert_non_null(strstr(bl_buf_str(&out), "\"last4\":\"WXYZ\""));
    assert_null(strstr(out.data, "canary"));
    assert_null(strstr(out.data, "sealed"));
    bl_buf_release(&out);
    all = malloc(1 << 20);
    for (i = 0; i < 2; i++) {
        size_t n;

        snprintf(name, sizeof(name), "%s%s", env.path, suffixes[i]);
        f = fopen(name, "rb");
        n = fread(all, 1, 1 << 20, f);
        fclose(f);
        assert_null(memmem(all, n, "canary", 6));
    }
    free(all);
    env_close(&env);
}

static void test_keys_bad_ones_are_refused(void **state)
{
    static const char *const bad[] = {"", "short", "has a space in it",
                                      "has\nline ends\n", "密钥密钥密钥"};
    apr_int64_t id;
    env_t env;
    size_t i;

    (void)state;
    open_with_upstream(&env);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(
            bl_store_do_key_add(env.store, &env_who, "up", "n", bad[i], &id),
            BL_E_BAD_VALUE);
    }
    assert_int_equal(
        bl_store_do_key_add(env.store, &env_who, "none", "n", SECRET, &id),
        BL_E_NOT_FOUND);
    add_key(env.store, "n");
    assert_int_equal(
        bl_store_do_key_add(env.store, &env_who, "up", "n", SECRET, &id),
        BL_E_CONFLICT);
    env_close(&env);
}

static int keys_in_catalog(bl_store_t *s)
{
    bl_catalog_t *c = bl_store_catalog(s);
    int n = c->upstreams[0].key_count;

    bl_catalog_unref(c);
    return n;
}

static void test_keys_enable_disable_delete(void **state)
{
    apr_int64_t id;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    id = add_key(env.store, "main");
    assert_int_equal(bl_store_do_key_set(env.store, &env_who, id, 0),
                     APR_SUCCESS);
    assert_int_equal(keys_in_catalog(env.store), 0);
    assert_int_equal(bl_store_do_key_set(env.store, &env_who, id, 1),
                     APR_SUCCESS);
    assert_int_equal(keys_in_catalog(env.store), 1);
    assert_int_equal(bl_store_do_key_delete(env.store, &env_who, id),
                     APR_SUCCESS);
    assert_int_equal(keys_in_catalog(env.store), 0);
    assert_int_equal(bl_store_do_key_delete(env.store, &env_who, id),
                     BL_E_NOT_FOUND);
    assert_int_equal(bl_store_do_key_set(env.store, &env_who, id, 1),
                     BL_E_NOT_FOUND);
    env_close(&env);
}

/* S-34: the key of a target that was moved must be entered again; another
 * path on the same host is no move. */
static void test_keys_s34_moved_target_disables_them(void **state)
{
    apr_int64_t id;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    id = add_key(env.store, "main");
    assert_int_equal(put_upstream(env.store, "up",
                                  "{\"baseUrl\":\"https://A.example:443/v2\"}"),
                     APR_SUCCESS);
    assert_string_equal(err, "");
    assert_int_equal(keys_in_catalog(env.store), 1);
    assert_int_equal(
        put_upstream(env.store, "up", "{\"baseUrl\":\"https://b.example/v2\"}"),
        APR_SUCCESS);
    assert_non_null(strstr(err, "entered again"));
    assert_int_equal(keys_in_catalog(env.store), 0);
    assert_int_equal(bl_store_do_key_set(env.store, &env_who, id, 1),
                     BL_E_CONFLICT);
    assert_int_equal(bl_store_do_key_set(env.store, &env_who, id, 0),
                     BL_E_CONFLICT);
    /* Moving back does not bring it back either. */
    assert_int_equal(put_upstream(env.store, "up", URL), APR_SUCCESS);
    assert_int_equal(keys_in_catalog(env.store), 0);
    assert_int_equal(add_key(env.store, "main"), id);
    assert_int_equal(keys_in_catalog(env.store), 1);
    env_close(&env);
}

/* D14: a sealed value put back, or in another row, opens nothing. */
static void test_keys_d14_sealed_values_do_not_move(void **state)
{
    bl_catalog_t *before, *c;
    bl_keyring_t *k;
    char *secret;
    env_t env;
    int i;

    (void)state;
    open_with_upstream(&env);
    add_key(env.store, "one");
    add_key(env.store, "two");
    before = bl_store_catalog(env.store);
    env_sql(&env, "CREATE TABLE kept AS SELECT id, sealed FROM api_key");
    env_sql(&env, "UPDATE api_key SET sealed = (SELECT sealed FROM kept"
                  " WHERE kept.id <> api_key.id)");
    c = catalog_after(env.store, before->version);
    bl_catalog_unref(before);
    assert_int_equal(bl_keyring_load(&k, env.key_path, err, sizeof(err)),
                     APR_SUCCESS);
    for (i = 0; i < 2; i++) {
        assert_int_equal(bl_key_open(k, &c->upstreams[0].keys[i], &secret),
                         BL_E_KEYRING_MISSING);
        assert_null(secret);
    }
    bl_catalog_unref(c);
    bl_keyring_close(k);
    env_close(&env);
}

/* --- rotation: D15 ---------------------------------------------------------
 */

static bl_store_t *open_tool(env_t *env)
{
    bl_store_conf_t conf;
    bl_store_t *s;

    memset(&conf, 0, sizeof(conf));
    conf.path = env->path;
    conf.master_key_path = env->key_path;
    conf.is_tool = conf.must_be_current = 1;
    assert_int_equal(bl_store_open(&s, &conf, err, sizeof(err)), APR_SUCCESS);
    return s;
}

/* A webhook's URL is sealed as a key is. */
static void test_rotation_moves_webhooks_too(void **state)
{
    bl_change_t change = {0};
    bl_rotation_t where;
    bl_alert_t *alert;
    bl_store_t *tool;
    bl_keyring_t *k;
    apr_int64_t id;
    char *url;
    int moved;
    env_t env;

    (void)state;
    env_open(&env);
    assert_int_equal(
        bl_store_do_alert_new(env.store, &env_who, "{\"name\":\"ops\"}",
                              "https://a.example/hook?key=1", &id, &change),
        APR_SUCCESS);
    bl_store_close(env.store, 1000);
    assert_int_equal(bl_keyring_file_add(env.key_path, err, sizeof(err)),
                     APR_SUCCESS);
    env.store = env_second(&env);
    env_settle(env.store);
    tool = open_tool(&env);
    assert_int_equal(bl_store_do_rotation(tool, &where), APR_SUCCESS);
    assert_int_equal(where.to_move, 1);
    assert_int_equal(bl_store_do_rotate(tool, &env_who, &moved), APR_SUCCESS);
    assert_int_equal(moved, 1);
    assert_int_equal(bl_keyring_load(&k, env.key_path, err, sizeof(err)),
                     APR_SUCCESS);
    assert_int_equal(bl_store_alert(env.store, id, &alert), APR_SUCCESS);
    assert_int_equal(alert->version, 2);
    assert_int_equal(bl_alert_open(k, alert, &url), APR_SUCCESS);
    assert_string_equal(url, "https://a.example/hook?key=1");
    bl_secret_free(url);
    bl_alert_free(alert);
    bl_keyring_close(k);
    bl_store_close(tool, 0);
    env_close(&env);
}

static void
test_rotation_waits_for_processes_that_do_not_know_the_key(void **state)
{
    bl_rotation_t where;
    bl_store_t *tool;
    int moved;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    add_key(env.store, "main");
    assert_int_equal(bl_keyring_file_add(env.key_path, err, sizeof(err)),
                     APR_SUCCESS);
    tool = open_tool(&env);
    assert_int_equal(bl_store_do_rotation(tool, &where), APR_SUCCESS);
    assert_int_equal(where.to_move, 1);
    assert_int_equal(where.behind, 1);
    bl_store_close(env.store, 1000); /* the restart */
    env.store = env_second(&env);
    env_settle(env.store); /* has written down what it knows */
    assert_int_equal(bl_store_do_rotation(tool, &where), APR_SUCCESS);
    assert_int_equal(where.behind, 0);
    assert_int_equal(bl_store_do_rotate(tool, &env_who, &moved), APR_SUCCESS);
    assert_int_equal(moved, 1);
    assert_int_equal(bl_store_do_rotate(tool, &env_who, &moved), APR_SUCCESS);
    assert_int_equal(moved, 0);
    bl_store_close(tool, 0);
    env_close(&env);
}

/* A server that runs without any master key opens no stored key, so it is in
 * nobody's way. */
static void test_rotation_does_not_wait_for_who_has_no_keyring(void **state)
{
    bl_store_conf_t conf;
    bl_rotation_t where;
    bl_store_t *tool, *without;
    env_t env;

    (void)state;
    env_make(&env);
    memset(&conf, 0, sizeof(conf));
    conf.path = env.path;
    assert_int_equal(bl_store_open(&without, &conf, err, sizeof(err)),
                     APR_SUCCESS);
    env_settle(without);
    tool = open_tool(&env);
    assert_int_equal(bl_store_do_rotation(tool, &where), APR_SUCCESS);
    assert_int_equal(where.behind, 0);
    bl_store_close(without, 0);
    bl_store_close(tool, 0);
    env_close(&env);
}

/* A process that has just started, and has not said what it knows, counts. */
static void test_rotation_waits_for_who_has_not_said_what_he_knows(void **state)
{
    bl_rotation_t where;
    bl_lock_t *somebody;
    bl_store_t *tool;
    env_t env;

    (void)state;
    env_open(&env);
    env_settle(env.store);
    tool = open_tool(&env);
    assert_int_equal(bl_lock_open(&somebody, env.path), APR_SUCCESS);
    assert_int_equal(bl_lock_take_child(somebody, 77), APR_SUCCESS);
    assert_int_equal(bl_store_do_rotation(tool, &where), APR_SUCCESS);
    assert_int_equal(where.behind, 1);
    bl_lock_close(somebody);
    assert_int_equal(bl_store_do_rotation(tool, &where), APR_SUCCESS);
    assert_int_equal(where.behind, 0);
    bl_store_close(tool, 0);
    env_close(&env);
}

/* A row no master key opens is told and left as it is; the others move. */
static void test_rotation_leaves_what_it_cannot_open(void **state)
{
    bl_store_t *tool;
    int moved;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    add_key(env.store, "one");
    add_key(env.store, "two");
    bl_store_close(env.store, 1000);
    env.store = NULL;
    env_sql(&env, "UPDATE api_key SET sealed = randomblob(60)"
                  " WHERE name = 'one'");
    assert_int_equal(bl_keyring_file_add(env.key_path, err, sizeof(err)),
                     APR_SUCCESS);
    tool = open_tool(&env);
    assert_int_equal(bl_store_do_rotate(tool, &env_who, &moved),
                     BL_E_KEYRING_MISSING);
    assert_int_equal(moved, 1);
    assert_string_equal(env_sql(&env, "SELECT version FROM api_key"
                                      " ORDER BY name"),
                        "1|2");
    bl_store_close(tool, 0);
    env_close(&env);
}

/* S-40: the sealings of one master key are counted over all processes. */
static void test_keys_s40_sealings_are_counted(void **state)
{
    apr_int64_t id;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    add_key(env.store, "one");
    assert_string_equal(env_sql(&env, "SELECT value FROM setting"
                                      " WHERE name GLOB 'sealings.*'"),
                        "1");
    env_sql(&env, "UPDATE setting SET value = '4294967295'"
                  " WHERE name GLOB 'sealings.*'");
    assert_int_equal(
        bl_store_do_key_add(env.store, &env_who, "up", "two", SECRET, &id),
        BL_E_KEYRING_MISSING);
    env_close(&env);
}

/* --- audit -----------------------------------------------------------------
 */

/* A09, S-74: each change has its row, nothing changes or deletes one, and
 * without one there is no change. */
static void test_audit_is_append_only_and_never_left_out(void **state)
{
    apr_int64_t id;
    env_t env;

    (void)state;
    open_with_upstream(&env);
    put_app(env.store, "qa", "{\"upstream\":\"up\",\"appId\":\"1\"}");
    id = add_key(env.store, "main");
    bl_store_do_key_set(env.store, &env_who, id, 0);
    bl_store_do_key_delete(env.store, &env_who, id);
    bl_store_do_app_delete(env.store, &env_who, "qa");
    bl_store_do_upstream_delete(env.store, &env_who, "up");
    assert_string_equal(
        env_sql(&env, "SELECT group_concat(action, ' ') FROM"
                      " (SELECT action FROM audit ORDER BY id)"),
        "upstream.put app.put key.add key.disable key.delete app.delete "
        "upstream.delete");
    assert_string_equal(env_sql(&env, "SELECT DISTINCT actor, from_addr"
                                      " FROM audit"),
                        "cli:test|local");
    env_sql(&env, "UPDATE audit SET actor = 'nobody'");
    env_sql(&env, "DELETE FROM audit");
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM audit"
                                      " WHERE actor = 'cli:test'"),
                        "7");
    env_sql(&env, "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN"
                  " SELECT RAISE(ABORT, 'no'); END");
    assert_int_not_equal(put_upstream(env.store, "up", URL), APR_SUCCESS);
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM upstream"), "0");
    env_close(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admin_bad_fields_are_refused_with_the_reason),
        cmocka_unit_test(test_admin_bad_app_fields),
        cmocka_unit_test(test_admin_new_and_existing),
        cmocka_unit_test(test_catalog_holds_what_was_put),
        cmocka_unit_test(test_catalog_one_default),
        cmocka_unit_test(test_catalog_other_processes_see_a_change),
        cmocka_unit_test(test_admin_delete),
        cmocka_unit_test(test_keys_add_and_open),
        cmocka_unit_test(test_keys_are_shown_by_name_and_last_four),
        cmocka_unit_test(test_keys_bad_ones_are_refused),
        cmocka_unit_test(test_keys_enable_disable_delete),
        cmocka_unit_test(test_keys_s34_moved_target_disables_them),
        cmocka_unit_test(test_keys_d14_sealed_values_do_not_move),
        cmocka_unit_test(test_rotation_moves_webhooks_too),
        cmocka_unit_test(
            test_rotation_waits_for_processes_that_do_not_know_the_key),
        cmocka_unit_test(test_rotation_does_not_wait_for_who_has_no_keyring),
        cmocka_unit_test(
            test_rotation_waits_for_who_has_not_said_what_he_knows),
        cmocka_unit_test(test_rotation_leaves_what_it_cannot_open),
        cmocka_unit_test(test_keys_s40_sealings_are_counted),
        cmocka_unit_test(test_audit_is_append_only_and_never_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations that several callers share. */
#include "store_env.h"

#include "base/clock.h"
#include "store/members.h"

static bl_buf_t out;

/* A conversation of li with one ended answer, shared with wang. */
static const char *shared(env_t *env)
{
    static char id[BL_SHARED_ID_BYTES];

    env_begin(env->store, 1, "user:li", "tea", "question");
    env_end(env->store, 1, BL_OUTCOME_COMPLETED, "answer", 1);
    env_settle(env->store);
    assert_int_equal(bl_store_do_member_add(env->store, "user:li", "tea",
                                            "user:wang", bl_clock_wall(), id),
                     APR_SUCCESS);
    return id;
}

/* Is `id` in what `who` sees in his list? */
static int lists(env_t *env, const char *who, const char *id)
{
    bl_buf_clear(&out);
    assert_int_equal(
        bl_store_conversations(env->store, who, NULL, 20, NULL, &out),
        APR_SUCCESS);
    bl_buf_append(&out, "", 1);
    return strstr(out.data, id) != NULL;
}

static void test_members_sharing_gives_an_id_nobody_can_guess(void **state)
{
    char again[BL_SHARED_ID_BYTES];
    const char *id;
    env_t env;

    (void)state;
    env_open(&env);
    id = shared(&env);
    assert_true(bl_shared_id_is(id));
    assert_string_equal(env_sql(&env, "SELECT client_id FROM conversation"),
                        id);
    /* Once: further members know it by the same one. */
    assert_int_equal(
        bl_store_do_member_add(env.store, "user:li", id, "user:zhao", 1, again),
        APR_SUCCESS);
    assert_string_equal(again, id);
    assert_int_equal(bl_store_do_create(env.store, "user:zhou", id, "", 1),
                     BL_E_CONFLICT);
    env_close(&env);
}

static void test_members_id_has_one_form(void **state)
{
    (void)state;
    assert_true(bl_shared_id_is("shared-0123456789abcdef0123456789abcdef"));
    assert_false(bl_shared_id_is("shared-0123456789abcdef0123456789abcdeg"));
    assert_false(bl_shared_id_is("shared-0123456789ABCDEF0123456789abcdef"));
    assert_false(bl_shared_id_is("shared-0123456789abcdef0123456789abcde"));
    assert_false(bl_shared_id_is("shared-0123456789abcdef0123456789abcdef0"));
    assert_false(bl_shared_id_is("tea"));
}

static void test_members_only_they_and_the_owner_find_it(void **state)
{
    char owner[BL_PRINCIPAL_BYTES];
    const char *id;
    env_t env;

    (void)state;
    env_open(&env);
    id = shared(&env);
    assert_int_equal(bl_store_shared_owner(env.store, "user:li", id, owner),
                     APR_SUCCESS);
    assert_int_equal(bl_store_shared_owner(env.store, "user:wang", id, owner),
                     APR_SUCCESS);
    assert_string_equal(owner, "user:li");
    assert_int_equal(bl_store_shared_owner(env.store, "user:zhao", id, owner),
                     BL_E_NOT_FOUND);
    assert_int_equal(
        bl_store_shared_owner(env.store, "user:wang", "tea", owner),
        BL_E_NOT_FOUND);
    assert_int_equal(
        bl_store_stream_shared(env.store, "user:wang", env_id(1), owner),
        APR_SUCCESS);
    assert_string_equal(owner, "user:li");
    assert_int_equal(
        bl_store_stream_shared(env.store, "user:zhao", env_id(1), owner),
        BL_E_NOT_FOUND);
    assert_true(lists(&env, "user:li", id));
    assert_true(lists(&env, "user:wang", id));
    assert_false(lists(&env, "user:zhao", id));
    env_close(&env);
}

static void test_members_that_are_removed_find_nothing(void **state)
{
    char owner[BL_PRINCIPAL_BYTES];
    const char *id;
    env_t env;

    (void)state;
    env_open(&env);
    id = shared(&env);
    assert_int_equal(
        bl_store_do_member_remove(env.store, "user:li", id, "user:wang"),
        APR_SUCCESS);
    assert_int_equal(
        bl_store_do_member_remove(env.store, "user:li", id, "user:wang"),
        BL_E_NOT_FOUND);
    assert_int_equal(bl_store_shared_owner(env.store, "user:wang", id, owner),
                     BL_E_NOT_FOUND);
    assert_int_equal(
        bl_store_stream_shared(env.store, "user:wang", env_id(1), owner),
        BL_E_NOT_FOUND);
    assert_false(lists(&env, "user:wang", id));
    env_close(&env);
}

static void test_members_are_the_owners_to_choose(void **state)
{
    char id[BL_SHARED_ID_BYTES], owner[BL_PRINCIPAL_BYTES];
    const char *known;
    env_t env;

    (void)state;
    env_open(&env);
    known = shared(&env);
    assert_int_equal(bl_store_do_member_add(env.store, "user:wang", known,
                                            "user:zhao", 1, id),
                     BL_E_NOT_FOUND);
    assert_int_equal(
        bl_store_do_member_remove(env.store, "user:zhao", known, "user:wang"),
        BL_E_NOT_FOUND);
    assert_int_equal(
        bl_store_do_member_add(env.store, "user:li", known, "user:li", 1, id),
        BL_E_BAD_VALUE);
    assert_int_equal(
        bl_store_shared_owner(env.store, "user:wang", known, owner),
        APR_SUCCESS);
    env_close(&env);
}

static void count_one(void *ctx, const char *principal)
{
    (void)principal;
    ++*(int *)ctx;
}

static void test_members_have_a_ceiling(void **state)
{
    char id[BL_SHARED_ID_BYTES], name[32];
    const char *known;
    env_t env;
    int i, n = 0;

    (void)state;
    env_open(&env);
    known = shared(&env);
    for (i = 2; i <= BL_MEMBERS_MOST; i++) {
        snprintf(name, sizeof(name), "user:m%d", i);
        assert_int_equal(
            bl_store_do_member_add(env.store, "user:li", known, name, i, id),
            APR_SUCCESS);
    }
    assert_int_equal(
        bl_store_do_member_add(env.store, "user:li", known, "user:late", 1, id),
        BL_E_CONFLICT);
    assert_int_equal(
        bl_store_do_member_add(env.store, "user:li", known, "user:wang", 1, id),
        APR_SUCCESS); /* who is one stays one */
    assert_int_equal(
        bl_store_each_member(env.store, "user:wang", known, count_one, &n),
        APR_SUCCESS);
    assert_int_equal(n, BL_MEMBERS_MOST + 1); /* and the owner */
    assert_int_equal(
        bl_store_each_member(env.store, "user:late", known, count_one, &n),
        BL_E_NOT_FOUND);
    env_close(&env);
}

static void test_members_question_is_the_members_and_stays_in_it(void **state)
{
    char id[BL_ID_TEXT + 1];
    bl_store_begin_t b = {0};
    const char *known;
    env_t env;

    (void)state;
    env_open(&env);
    known = shared(&env);
    b.stream_id = env_id(2);
    b.owner = "user:li";
    b.asker = "user:wang";
    b.conversation_id = known;
    b.app = "qa";
    b.transport = "sse";
    b.idempotency_key = "k";
    b.question = "and green?";
    b.at = bl_clock_wall();
    assert_int_equal(bl_store_put_begin(env.store, &b), APR_SUCCESS);
    env_end(env.store, 2, BL_OUTCOME_COMPLETED, "80", 1);
    env_settle(env.store);
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM conversation"),
                        "1");
    assert_string_equal(
        env_sql(&env, "SELECT owner FROM usage_day ORDER BY owner"),
        "user:li|user:wang");
    assert_int_equal(bl_store_by_idempotency(env.store, "user:wang", "k", id),
                     APR_SUCCESS);
    assert_int_equal(bl_store_by_idempotency(env.store, "user:li", "k", id),
                     BL_E_NOT_FOUND);
    bl_buf_clear(&out);
    assert_int_equal(bl_store_conversation(env.store, "user:li", known, &out),
                     APR_SUCCESS);
    bl_buf_append(&out, "", 1);
    assert_non_null(strstr(out.data, "\"asker\":\"user:wang\""));
    env_close(&env);
}

static void test_members_go_with_their_conversation(void **state)
{
    const char *id;
    env_t env;

    (void)state;
    env_open(&env);
    id = shared(&env);
    assert_int_equal(bl_store_do_delete(env.store, "user:wang", id),
                     BL_E_NOT_FOUND);
    assert_int_equal(bl_store_do_delete(env.store, "user:li", id), APR_SUCCESS);
    assert_string_equal(
        env_sql(&env, "SELECT count(*) FROM conversation_member"), "0");
    env_close(&env);
}

static int setup(void **state)
{
    (void)state;
    bl_buf_init(&out, 1024 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bl_buf_release(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_sharing_gives_an_id_nobody_can_guess),
        cmocka_unit_test(test_members_id_has_one_form),
        cmocka_unit_test(test_members_only_they_and_the_owner_find_it),
        cmocka_unit_test(test_members_that_are_removed_find_nothing),
        cmocka_unit_test(test_members_are_the_owners_to_choose),
        cmocka_unit_test(test_members_have_a_ceiling),
        cmocka_unit_test(test_members_question_is_the_members_and_stays_in_it),
        cmocka_unit_test(test_members_go_with_their_conversation),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

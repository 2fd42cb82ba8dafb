/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "auth/principal.h"

static const char *user(bl_principal_t *p, const char *name)
{
    assert_int_equal(bl_principal_of_user(p, name), APR_SUCCESS);
    return p->text;
}

static const char *anonymous(bl_principal_t *p, const char *id)
{
    assert_int_equal(bl_principal_of_anonymous(p, id), APR_SUCCESS);
    return p->text;
}

/* S-13: a word of the client never opens what an authenticated user owns. */
static void test_principal_anonymous_is_never_an_authenticated_one(void **state)
{
    static const char *const names[] = {"li", "user:li", "anon:li", "",
                                        ":",  "user:",   "../li"};
    bl_principal_t u, a;
    size_t i, k;

    (void)state;
    for (i = 0; i < 7; i++) {
        for (k = 0; k < 7; k++) {
            user(&u, names[i]);
            anonymous(&a, names[k]);
            assert_string_not_equal(u.text, a.text);
            assert_false(bl_principal_owns(&a, u.text));
            assert_false(bl_principal_owns(&u, a.text));
        }
    }
}

static void test_principal_owns_its_own_and_nothing_else(void **state)
{
    bl_principal_t p;

    (void)state;
    assert_string_equal(user(&p, "li"), "user:li");
    assert_true(bl_principal_owns(&p, "user:li"));
    assert_false(bl_principal_owns(&p, "user:l"));
    assert_false(bl_principal_owns(&p, "user:lisa"));
    assert_false(bl_principal_owns(&p, "user:Li"));
    assert_false(bl_principal_owns(&p, "li"));
    assert_false(bl_principal_owns(&p, ""));
}

/* S-02: nobody owns nothing, not even what has no owner. */
static void test_principal_nobody_owns_nothing(void **state)
{
    bl_principal_t p;

    (void)state;
    memset(&p, 0, sizeof(p));
    assert_false(bl_principal_owns(&p, ""));
    assert_false(bl_principal_owns(&p, "user:li"));
}

static void test_principal_nameless_is_anonymous_without_an_id(void **state)
{
    bl_principal_t p;

    (void)state;
    anonymous(&p, NULL);
    assert_true(bl_principal_is_nameless(&p));
    anonymous(&p, "");
    assert_true(bl_principal_is_nameless(&p));
    anonymous(&p, "42");
    assert_false(bl_principal_is_nameless(&p));
    user(&p, "");
    assert_false(bl_principal_is_nameless(&p));
}

/* Cut at the end, two names could become one. */
static void test_principal_too_long_is_refused_never_cut(void **state)
{
    char name[BL_PRINCIPAL_BYTES + 1];
    bl_principal_t p;

    (void)state;
    memset(name, 'x', sizeof(name));
    name[BL_PRINCIPAL_BYTES - 1 - 5] = '\0'; /* with "user:" just fits */
    assert_int_equal(bl_principal_of_user(&p, name), APR_SUCCESS);
    assert_int_equal(strlen(p.text), BL_PRINCIPAL_BYTES - 1);
    memset(name, 'x', sizeof(name));
    name[BL_PRINCIPAL_BYTES - 5] = '\0';
    assert_int_equal(bl_principal_of_user(&p, name), BL_E_BAD_VALUE);
    assert_string_equal(p.text, "");
    assert_int_equal(bl_principal_of_anonymous(&p, name), BL_E_BAD_VALUE);
}

/* C11, C13: what could end a line or a header somewhere is refused. */
static void test_principal_and_ids_hold_no_controls_and_valid_utf8(void **state)
{
    static const char *const bad[] = {
        "a\rb", "a\nb",      "\t",           "\x1b[31m",
        "\x7f", "a\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xff", "\xc0\xaf",  "\xed\xa0\x80", "a\xe4\xb8"};
    static const char *const good[] = {"li",    "\xe6\x9d\x8e", "a b",
                                       "a@b.c", "\xe2\x80\xaa", "\xc2\x86"};
    bl_principal_t p;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(bl_principal_of_user(&p, bad[i]), BL_E_BAD_VALUE);
        assert_string_equal(p.text, "");
        assert_int_equal(bl_principal_of_anonymous(&p, bad[i]), BL_E_BAD_VALUE);
        assert_false(bl_client_id_is_valid(bad[i]));
    }
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(bl_principal_of_user(&p, good[i]), APR_SUCCESS);
        assert_true(bl_client_id_is_valid(good[i]));
    }
}

static void test_principal_client_id_has_1_to_127_bytes(void **state)
{
    char id[BL_ITEM_ID_BYTES + 1];

    (void)state;
    assert_false(bl_client_id_is_valid(""));
    assert_true(bl_client_id_is_valid("a"));
    memset(id, 'x', sizeof(id));
    id[BL_ITEM_ID_BYTES - 1] = '\0';
    assert_true(bl_client_id_is_valid(id));
    id[BL_ITEM_ID_BYTES - 1] = 'x';
    id[BL_ITEM_ID_BYTES] = '\0';
    assert_false(bl_client_id_is_valid(id));
}

/* Whom a caller means by a name: one of his kind, or by its text anybody. */
static void test_principal_named_is_of_the_same_kind(void **state)
{
    bl_principal_t li, p;

    (void)state;
    bl_principal_of_jwt(&li, "shop", "li");
    assert_int_equal(bl_principal_named(&p, "wang", &li), APR_SUCCESS);
    assert_string_equal(p.text, "jwt:shop:wang");
    assert_int_equal(bl_principal_named(&p, "user:wang", &li), APR_SUCCESS);
    assert_string_equal(p.text, "user:wang");
    assert_int_equal(bl_principal_named(&p, "jwt:other:x", &li), APR_SUCCESS);
    assert_string_equal(p.text, "jwt:other:x");
    bl_principal_of_anonymous(&li, "1");
    assert_int_equal(bl_principal_named(&p, "2", &li), APR_SUCCESS);
    assert_string_equal(p.text, "anon:2");
    assert_int_equal(bl_principal_named(&p, "", &li), BL_E_BAD_VALUE);
    assert_int_equal(bl_principal_named(&p, "anon:", &li), BL_E_BAD_VALUE);
    assert_int_equal(bl_principal_named(&p, "a\nb", &li), BL_E_BAD_VALUE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_principal_anonymous_is_never_an_authenticated_one),
        cmocka_unit_test(test_principal_owns_its_own_and_nothing_else),
        cmocka_unit_test(test_principal_nobody_owns_nothing),
        cmocka_unit_test(test_principal_nameless_is_anonymous_without_an_id),
        cmocka_unit_test(test_principal_too_long_is_refused_never_cut),
        cmocka_unit_test(
            test_principal_and_ids_hold_no_controls_and_valid_utf8),
        cmocka_unit_test(test_principal_named_is_of_the_same_kind),
        cmocka_unit_test(test_principal_client_id_has_1_to_127_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

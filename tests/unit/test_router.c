/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/router.h"

static int nothing(bl_admin_call_t *a)
{
    (void)a;
    return 0;
}

static const bl_route_t keys[] = {
    {"GET", "api/keys", BL_ROLE_VIEWER, nothing},
    {"POST", "api/keys", BL_ROLE_ADMIN, nothing},
    {"GET", "api/keys/{id}", BL_ROLE_VIEWER, nothing},
    {"PATCH", "api/keys/{id}", BL_ROLE_ADMIN, nothing},
    {"POST", "api/keys/{id}/test", BL_ROLE_OPERATOR, nothing},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
static const bl_route_t more[] = {
    {"POST", "api/keys/test", BL_ROLE_OPERATOR, nothing},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
static const bl_route_t *const tables[] = {keys, more, NULL};

static bl_route_match_t find(const char *method, const char *path)
{
    bl_route_match_t m;

    bl_route_find(tables, method, path, &m);
    return m;
}

static void test_router_finds_a_route_by_method_and_path(void **state)
{
    (void)state;
    assert_ptr_equal(find("GET", "api/keys").route, &keys[0]);
    assert_ptr_equal(find("POST", "api/keys").route, &keys[1]);
    assert_ptr_equal(find("HEAD", "api/keys").route, &keys[0]);
    assert_string_equal(find("GET", "api/keys").id, "");
}

static void test_router_takes_one_segment_as_the_id(void **state)
{
    bl_route_match_t m = find("POST", "api/keys/17/test");

    (void)state;
    assert_ptr_equal(m.route, &keys[4]);
    assert_string_equal(m.id, "17");
    assert_string_equal(find("GET", "api/keys/a.b-c").id, "a.b-c");
}

static void test_router_prefers_a_path_without_an_id(void **state)
{
    (void)state;
    assert_ptr_equal(find("POST", "api/keys/test").route, &more[0]);
    assert_ptr_equal(find("GET", "api/keys/test").route, &keys[2]);
}

static void test_router_knows_no_other_path(void **state)
{
    static const char *const paths[] = {
        "",           "api",          "api/keys/",        "api/keysx",
        "api/keys//", "api/keys/1/2", "api/keys/1/test/", "api/keys//test"};
    char longest[BL_NAME_BYTES + 16] = "api/keys/";
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        bl_route_match_t m = find("POST", paths[i]);

        assert_null(m.route);
        assert_string_equal(m.allowed, "");
    }
    memset(longest + 9, 'x', BL_NAME_BYTES);
    assert_null(find("GET", longest).route);
    longest[9 + BL_NAME_BYTES - 1] = '\0';
    assert_ptr_equal(find("GET", longest).route, &keys[2]);
}

static void test_router_says_which_methods_a_path_has(void **state)
{
    (void)state;
    assert_null(find("DELETE", "api/keys").route);
    assert_string_equal(find("DELETE", "api/keys").allowed, "GET, POST");
    assert_string_equal(find("DELETE", "api/keys/1").allowed, "GET, PATCH");
}

static void test_roles_have_names_and_an_order(void **state)
{
    (void)state;
    assert_int_equal(bl_role_by_name("viewer"), BL_ROLE_VIEWER);
    assert_int_equal(bl_role_by_name("admin"), BL_ROLE_ADMIN);
    assert_int_equal(bl_role_by_name("none"), BL_ROLE_NONE);
    assert_int_equal(bl_role_by_name("root"), BL_ROLE_NONE);
    assert_string_equal(bl_role_name(BL_ROLE_OPERATOR), "operator");
    assert_true(BL_ROLE_ADMIN > BL_ROLE_OPERATOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_router_finds_a_route_by_method_and_path),
        cmocka_unit_test(test_router_takes_one_segment_as_the_id),
        cmocka_unit_test(test_router_prefers_a_path_without_an_id),
        cmocka_unit_test(test_router_knows_no_other_path),
        cmocka_unit_test(test_router_says_which_methods_a_path_has),
        cmocka_unit_test(test_roles_have_names_and_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include "wire/ws_handshake.h"

static const bl_ws_ask_t good = {"websocket", "Upgrade", "13",
                                 "dGhlIHNhbXBsZSBub25jZQ=="};

static apr_status_t try_it(bl_ws_ask_t ask)
{
    char accept[BL_WS_ACCEPT_BYTES];

    return bl_ws_handshake(&ask, accept);
}

/* The example of RFC 6455 1.3. */
static void test_ws_handshake_of_the_rfc_is_accepted(void **state)
{
    char accept[BL_WS_ACCEPT_BYTES];

    (void)state;
    assert_int_equal(bl_ws_handshake(&good, accept), APR_SUCCESS);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_ws_handshake_headers_are_lists_without_case(void **state)
{
    bl_ws_ask_t ask = good;

    (void)state;
    ask.connection = "keep-alive,  UPGRADE ";
    ask.upgrade = "h2c, WebSocket";
    assert_int_equal(try_it(ask), APR_SUCCESS);
    ask.connection = "keep-alive, upgraded";
    assert_int_equal(try_it(ask), BL_E_UPGRADE_REQUIRED);
}

static void test_ws_handshake_without_its_headers_is_refused(void **state)
{
    static const char *const keys[] = {"",
                                       "dGhlIHNhbXBsZSBub25jZQ=",
                                       "dGhlIHNhbXBsZSBub25jZQ===",
                                       "dGhlIHNhbXBsZSBub25jZQAA",
                                       "dGhlIHNhbXBs ZSBub25jZ==",
                                       "dGhlIHNhbXBsZSBub25jZQ==x"};
    bl_ws_ask_t ask = good;
    size_t i;

    (void)state;
    ask.upgrade = NULL;
    assert_int_equal(try_it(ask), BL_E_UPGRADE_REQUIRED);
    ask = good;
    ask.connection = NULL;
    assert_int_equal(try_it(ask), BL_E_UPGRADE_REQUIRED);
    ask = good;
    ask.version = "8";
    assert_int_equal(try_it(ask), BL_E_UPGRADE_REQUIRED);
    ask = good;
    ask.key = NULL;
    assert_int_equal(try_it(ask), BL_E_BAD_HEADER);
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        ask.key = keys[i];
        assert_int_equal(try_it(ask), BL_E_BAD_HEADER);
    }
}

static void test_ws_token_comes_as_a_subprotocol(void **state)
{
    static const struct {
        const char *list, *answer, *token;
    } rows[] = {
        {NULL, "", ""},
        {"", "", ""},
        {"Bearer, a.b.c", "Bearer", "a.b.c"},
        {" bearer ,a.b.c ", "bearer", "a.b.c"},
        {"a.b.c", "a.b.c", "a.b.c"},
        {"chat, superchat", "", ""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bl_ws_protocols_t p;

        bl_ws_protocols(&p, rows[i].list);
        assert_int_equal(p.answer_len, strlen(rows[i].answer));
        assert_int_equal(p.token_len, strlen(rows[i].token));
        if (!p.answer_len) continue;
        assert_memory_equal(p.answer, rows[i].answer, p.answer_len);
        assert_memory_equal(p.token, rows[i].token, p.token_len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ws_handshake_of_the_rfc_is_accepted),
        cmocka_unit_test(test_ws_handshake_headers_are_lists_without_case),
        cmocka_unit_test(test_ws_handshake_without_its_headers_is_refused),
        cmocka_unit_test(test_ws_token_comes_as_a_subprotocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

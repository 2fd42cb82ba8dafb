/* SPDX-License-Identifier: Apache-2.0 */
/* A client's message against jansson; a list of subprotocols, and a handshake.
 * What is taken is an object with a type that is known, and what it names are
 * its own strings. */
#include <jansson.h>
#include <string.h>

#include "base/errors.h"
#include "fuzz.h"
#include "wire/ws_handshake.h"
#include "wire/ws_message.h"

static void check_ask(const bl_msg_t *m)
{
    const char *field = NULL;
    bl_msg_ask_t ask;

    if (bl_msg_ask(m, &ask, &field) != APR_SUCCESS) {
        CHECK(field);
        return;
    }
    CHECK(ask.resume || (ask.message && *ask.message));
    if (ask.message) {
        CHECK(!strcmp(ask.message,
                      json_string_value(json_object_get(m->data, "message"))));
    }
}

static void check_message(const char *text, size_t size)
{
    const char *field = NULL;
    bl_msg_t m;
    apr_status_t rv = bl_msg_parse(&m, text, size, &field);

    if (rv == APR_SUCCESS) {
        json_t *v = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        const char *type = json_string_value(json_object_get(m.json, "type"));

        CHECK(json_is_object(v) && json_equal(v, m.json));
        CHECK(m.type < BL_MSG_TYPES && type);
        CHECK(!strcmp(type, bl_msg_name(m.type)));
        CHECK(!m.data || json_is_object(m.data));
        if (m.type == BL_MSG_CHAT_REQUEST) check_ask(&m);
        bl_msg_stops(&m);
        json_decref(v);
    }
    bl_msg_release(&m);
}

static void check_protocols(const char *list)
{
    const char *end = list + strlen(list);
    bl_ws_protocols_t p;

    bl_ws_protocols(&p, list);
    if (p.answer_len) CHECK(p.answer >= list && p.answer + p.answer_len <= end);
    if (p.token_len) CHECK(p.token >= list && p.token + p.token_len <= end);
    bl_ws_list_has(list, "upgrade");
}

static void check_handshake(const char *key)
{
    char accept[BL_WS_ACCEPT_BYTES];
    bl_ws_ask_t ask = {"websocket", "Upgrade", BL_WS_VERSION, key};

    if (bl_ws_handshake(&ask, accept) != APR_SUCCESS) return;
    CHECK(strlen(key) == 24 && !strcmp(key + 22, "=="));
    CHECK(strlen(accept) == BL_WS_ACCEPT_BYTES - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text) abort();
    memcpy(text, data, size);
    text[size] = '\0';
    check_message((const char *)data, size);
    check_protocols(text);
    check_handshake(text);
    free(text);
    return 0;
}

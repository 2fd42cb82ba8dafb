/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/buf.h"
#include "stream/journal.h"

static bl_event_t make(bl_event_kind_t kind, const char *text,
                       const char *fields)
{
    bl_event_t ev;

    memset(&ev, 0, sizeof(ev));
    ev.kind = kind;
    ev.at_ms = 0x01020304;
    ev.text = text;
    ev.text_len = strlen(text);
    ev.fields = fields;
    ev.fields_len = fields ? strlen(fields) : 0;
    return ev;
}

/* Kinds are stored: their numbers never change. */
static void test_event_kinds_keep_their_numbers_and_names(void **state)
{
    static const struct {
        bl_event_kind_t kind;
        int number;
        const char *name;
    } kinds[] = {
        {BL_EV_START, 1, "start"},
        {BL_EV_DELTA, 2, "delta"},
        {BL_EV_REASONING, 3, "reasoning"},
        {BL_EV_STATUS, 4, "status"},
        {BL_EV_PLAN, 5, "plan"},
        {BL_EV_SEARCH, 6, "search"},
        {BL_EV_TOOL, 7, "tool"},
        {BL_EV_AGENT_START, 8, "agent-start"},
        {BL_EV_AGENT_COMPLETE, 9, "agent-complete"},
        {BL_EV_PROGRESS, 10, "progress"},
        {BL_EV_USAGE, 11, "usage"},
        {BL_EV_NOTICE, 12, "notice"},
        {BL_EV_REPLACE, 13, "replace"},
        {BL_EV_END, 14, "end"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        assert_int_equal(kinds[i].kind, kinds[i].number);
        assert_string_equal(bl_event_kind_name(kinds[i].kind), kinds[i].name);
    }
    assert_string_equal(bl_event_kind_name((bl_event_kind_t)0), "unknown");
    assert_string_equal(bl_event_kind_name((bl_event_kind_t)15), "unknown");
}

static void test_event_outcomes_are_found_by_their_names(void **state)
{
    static const char *const names[] = {"none",       "completed", "length",
                                        "cancelled",  "timeout",   "error",
                                        "interrupted"};
    int i;

    (void)state;
    for (i = BL_OUTCOME_NONE; i <= BL_OUTCOME_INTERRUPTED; i++) {
        assert_string_equal(bl_outcome_name((bl_outcome_t)i), names[i]);
        assert_int_equal(bl_outcome_from_name(names[i]), i);
    }
    assert_int_equal(bl_outcome_from_name("Completed"), BL_OUTCOME_NONE);
    assert_string_equal(bl_outcome_name((bl_outcome_t)7), "none");
}

static void test_event_run_unpacks_as_it_was_packed(void **state)
{
    const bl_event_t in[] = {make(BL_EV_START, "", NULL),
                             make(BL_EV_DELTA, "\xe7\xbb\xbf", NULL),
                             make(BL_EV_REPLACE, "x", "{\"keep\":3}"),
                             make(BL_EV_END, "", "{\"outcome\":\"length\"}")};
    bl_event_t ev;
    bl_buf_t run;
    size_t at = 0;
    int i;

    (void)state;
    bl_buf_init(&run, 1000);
    for (i = 0; i < 4; i++)
        assert_int_equal(bl_event_pack(&run, &in[i]), APR_SUCCESS);
    for (i = 0; i < 4; i++) {
        assert_int_equal(bl_event_unpack(run.data, run.len, &at, &ev),
                         APR_SUCCESS);
        assert_int_equal(ev.kind, in[i].kind);
        assert_int_equal(ev.at_ms, 0x01020304);
        assert_int_equal(ev.text_len, in[i].text_len);
        assert_memory_equal(ev.text, in[i].text, ev.text_len);
        assert_int_equal(ev.fields_len, in[i].fields_len);
        assert_int_equal(!ev.fields, !in[i].fields);
        if (ev.fields) {
            assert_memory_equal(ev.fields, in[i].fields, ev.fields_len);
        }
    }
    assert_int_equal(bl_event_unpack(run.data, run.len, &at, &ev), APR_EOF);
    bl_buf_release(&run);
}

/* The stored form, byte by byte: it outlives this version. */
static void test_event_packed_form_is_version_1(void **state)
{
    static const char form[] = "\x0d\x04\x03\x02\x01\x01\0\0\0\x0a\0\0\0x"
                               "{\"keep\":3}";
    bl_event_t ev = make(BL_EV_REPLACE, "x", "{\"keep\":3}");
    bl_buf_t run;

    (void)state;
    bl_buf_init(&run, 1000);
    bl_event_pack(&run, &ev);
    assert_int_equal(run.len, sizeof(form) - 1);
    assert_memory_equal(run.data, form, run.len);
    bl_buf_release(&run);
}

/* Cut at every byte: never a read beyond, never an event out of half of one. */
static void test_event_run_cut_anywhere_is_corrupt(void **state)
{
    bl_event_t ev = make(BL_EV_REPLACE, "some text", "{\"keep\":3}");
    bl_buf_t run;
    size_t len;

    (void)state;
    bl_buf_init(&run, 1000);
    bl_event_pack(&run, &ev);
    for (len = 0; len < run.len; len++) {
        char *exact = malloc(len + !len);
        size_t at = 0;

        memcpy(exact, run.data, len);
        assert_int_equal(bl_event_unpack(exact, len, &at, &ev),
                         len ? BL_E_STORE_CORRUPT : APR_EOF);
        assert_int_equal(at, 0);
        free(exact);
    }
    bl_buf_release(&run);
}

static void test_event_run_that_lies_is_corrupt(void **state)
{
    static const struct {
        int at;
        unsigned char byte;
    } lies[] = {
        {0, 0},    {0, 15}, {0, 255},   {5, 10},    {8, 0x80},
        {8, 0xff}, {9, 11}, {12, 0x80}, {12, 0xff}, {6, 1},
    };
    bl_event_t ev = make(BL_EV_REPLACE, "123456789", "{\"keep\":3}");
    bl_buf_t run;
    size_t i, at;

    (void)state;
    bl_buf_init(&run, 1000);
    bl_event_pack(&run, &ev);
    for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        char *copy = malloc(run.len);

        memcpy(copy, run.data, run.len);
        copy[lies[i].at] = (char)lies[i].byte;
        at = 0;
        assert_int_equal(bl_event_unpack(copy, run.len, &at, &ev),
                         BL_E_STORE_CORRUPT);
        free(copy);
    }
    bl_buf_release(&run);
}

static void test_event_that_does_not_fit_is_not_packed(void **state)
{
    bl_event_t ev = make(BL_EV_DELTA, "0123456789", NULL);
    bl_buf_t run;

    (void)state;
    bl_buf_init(&run, 22); /* one byte short */
    assert_int_equal(bl_event_pack(&run, &ev), APR_ENOSPC);
    assert_int_equal(run.len, 0);
    bl_buf_release(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_kinds_keep_their_numbers_and_names),
        cmocka_unit_test(test_event_outcomes_are_found_by_their_names),
        cmocka_unit_test(test_event_run_unpacks_as_it_was_packed),
        cmocka_unit_test(test_event_packed_form_is_version_1),
        cmocka_unit_test(test_event_run_cut_anywhere_is_corrupt),
        cmocka_unit_test(test_event_run_that_lies_is_corrupt),
        cmocka_unit_test(test_event_that_does_not_fit_is_not_packed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

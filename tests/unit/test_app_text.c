/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect_run.h"

static void test_app_U19_bad_bytes_become_marks(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    text_event(&r,
               "a\xFF"
               "b\xC0\x80\xED\xA0\x80\xF4\x90\x80\x80",
               "null");
    text_event(&r, "\\ud800\\u0000\xE6\xB0", "stop");
    assert_lines(&r,
                 "delta|a" FFFD "b" FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD
                 "|\ndelta|" FFFD FFFD FFFD FFFD "|\n");
    assert_int_equal(r.answer.bad_utf8, 14);
    end(&r);
}

/* U20: only what is new; a cut character waits for the next event. */
static void test_app_U20_cumulative_gives_only_the_new_part(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 0, BL_FLOW_NONE);
    text_event(&r, "", "null");
    text_event(&r, "水" FFFD, "null");
    text_event(&r, "水温" FFFD FFFD, "null");
    assert_int_equal(text_event(&r, "水温" FFFD, "null"), APR_EAGAIN);
    text_event(&r, "水温80\\n", "null");
    text_event(&r, "水温80\\n度", "null");
    text_event(&r, "", "null");
    text_event(&r, "水温80\\n度" FFFD, "stop");
    assert_lines(&r, "delta|水|\ndelta|温|\ndelta|80\n|\ndelta|度|\ndelta|" FFFD
                     "|\n");
    end(&r);
}

static void test_app_U20_rewrite_becomes_a_replace(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 0, BL_FLOW_NONE);
    text_event(&r, "绿茶水", "null");
    text_event(&r, "绿茶汤好", "null"); /* 水 and 汤 share no first byte ... */
    text_event(&r, "绿茶汦好", "null"); /* ... 汤 and 汦 share two */
    text_event(&r, "绿", "null");
    text_event(&r, "绿叶", "null");
    text_event(&r, "红", "stop");
    assert_lines(&r, "delta|绿茶水|\n"
                     "replace|汤好|{\"keep\":6}\n"
                     "replace|汦好|{\"keep\":6}\n"
                     "replace||{\"keep\":3}\n"
                     "delta|叶|\n"
                     "replace|红|{\"keep\":0}\n");
    end(&r);
}

/* The answer that a reader of DELTA and REPLACE holds, after random cumulative
 * texts, is the last full text. */
static void test_app_U20_text_equals_the_last_full_text(void **state)
{
    static const char *const pieces[] = {"a", "水", "é", "🍵", "汤"};
    unsigned seed = 1;
    int round, i;

    (void)state;
    for (round = 0; round < 2000; round++) {
        char text[128] = "", held[1024] = "";
        char *line, *save = NULL;
        run_t r;

        begin(&r, 0, BL_FLOW_NONE);
        for (i = 0; i < 6; i++) {
            int n;

            /* Cut at a piece, then go on with other ones. */
            seed = seed * 1103515245u + 12345u;
            n = (int)(seed >> 16 & 7);
            if (n < 2) {
                size_t keep = bl_utf8_cut(text, strlen(text),
                                          strlen(text) / (size_t)(n + 1));
                text[keep] = '\0';
            }
            for (n = 0; n < 3; n++) {
                seed = seed * 1103515245u + 12345u;
                strncat(text, pieces[(seed >> 16) % 5],
                        sizeof(text) - strlen(text) - 1);
            }
            text_event(&r, text, i == 5 ? "stop" : "null");
        }
        for (line = strtok_r((char *)(size_t)bl_buf_str(&r.lines), "\n", &save);
             line; line = strtok_r(NULL, "\n", &save))
        {
            char *part = strchr(line, '|') + 1, *fields = strchr(part, '|');

            *fields++ = '\0';
            if (*line == 'r') held[strtol(fields + 8, NULL, 10)] = '\0';
            strncat(held, part, sizeof(held) - strlen(held) - 1);
        }
        assert_string_equal(held, text);
        end(&r);
    }
}

/* U21: a duplicate has id and payload of the one before; neither alone. */
static void test_app_U21_drops_only_true_duplicates(void **state)
{
    static const char a[] = "{\"output\":{\"text\":\"a\"}}";
    static const char b[] = "{\"output\":{\"text\":\"b\"}}";
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    event_of(&r, "result", "1", 200, a, sizeof(a) - 1);
    assert_int_equal(event_of(&r, "result", "1", 200, a, sizeof(a) - 1),
                     APR_EAGAIN);
    event_of(&r, "result", "2", 200, a, sizeof(a) - 1);
    event_of(&r, "result", "2", 200, b, sizeof(b) - 1);
    event_of(&r, "result", "1", 200, b, sizeof(b) - 1);
    event_of(&r, "result", "", 200, b, sizeof(b) - 1);
    event_of(&r, "result", "", 200, b, sizeof(b) - 1);
    assert_lines(&r, "delta|a|\ndelta|a|\ndelta|b|\ndelta|b|\ndelta|b|\n"
                     "delta|b|\n");
    assert_int_equal(r.answer.duplicates, 1);
    end(&r);
}

/* U22: an event of 1 MiB is passed on in parts of at most 16 KiB. */
static void assert_long_text(int is_incremental, const char *piece,
                             const char *meant)
{
    size_t i, n = 1000000 / strlen(piece), len = strlen(meant);
    bl_buf_t text;
    run_t r;

    bl_buf_init(&text, 2 * 1024 * 1024);
    for (i = 0; i < n; i++)
        bl_buf_puts(&text, piece);
    begin(&r, is_incremental, BL_FLOW_NONE);
    text_event(&r, bl_buf_str(&text), "stop");
    assert_true(r.longest <= BL_EVENT_PART_BYTES);
    assert_true(r.events >= (int)(n * len / BL_EVENT_PART_BYTES));
    assert_int_equal(r.lines.len, n * len + (size_t)r.events * 8);
    end(&r);
    bl_buf_release(&text);
}

static void test_app_U22_long_text_comes_in_parts(void **state)
{
    (void)state;
    assert_long_text(1, "水x", "水x");
    assert_long_text(0, "水x", "水x");
    assert_long_text(1, "\\n水", "\n水");
    assert_long_text(0, "\\ud83c\\udf75é", "🍵é");
    assert_long_text(1, "\xFF", FFFD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app_U19_bad_bytes_become_marks),
        cmocka_unit_test(test_app_U20_cumulative_gives_only_the_new_part),
        cmocka_unit_test(test_app_U20_rewrite_becomes_a_replace),
        cmocka_unit_test(test_app_U20_text_equals_the_last_full_text),
        cmocka_unit_test(test_app_U21_drops_only_true_duplicates),
        cmocka_unit_test(test_app_U22_long_text_comes_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations: list, search, read, rename, delete. */
#include "store_env.h"

#include "base/clock.h"

#include <jansson.h>
#include <unistd.h>

static bl_buf_t out;

static json_t *parsed(void)
{
    json_error_t why;
    json_t *j = json_loadb(out.data, out.len, 0, &why);

    if (!j) fail_msg("no JSON: %.*s", (int)out.len, out.data);
    return j;
}

/* "c3 c2 c1 |more" or "...|end" */
static const char *list(bl_store_t *s, const char *owner, const char *query,
                        int limit, char *cursor, size_t size)
{
    static char text[4096];
    const char *next;
    size_t i, n = 0;
    json_t *j;

    bl_buf_clear(&out);
    assert_int_equal(
        bl_store_conversations(s, owner, query, limit, cursor, &out),
        APR_SUCCESS);
    j = parsed();
    text[0] = '\0';
    for (i = 0; i < json_array_size(json_object_get(j, "items")); i++) {
        json_t *item = json_array_get(json_object_get(j, "items"), i);

        n += (size_t)snprintf(
            text + n, sizeof(text) - n, "%s ",
            json_string_value(json_object_get(item, "conversationId")));
    }
    next = json_string_value(json_object_get(j, "next"));
    snprintf(text + n, sizeof(text) - n, "|%s", next ? "more" : "end");
    snprintf(cursor, size, "%s", next ? next : "");
    json_decref(j);
    return text;
}

static const char *found(bl_store_t *s, const char *query)
{
    char cursor[64] = "";

    return list(s, "user:li", query, 100, cursor, sizeof(cursor));
}

static void answered(bl_store_t *s, int n, const char *owner, const char *conv,
                     const char *question, const char *answer)
{
    env_begin(s, n, owner, conv, question);
    env_end(s, n, BL_OUTCOME_COMPLETED, answer, 1);
    usleep(2); /* a later time than the one before */
}

/* --- list ------------------------------------------------------------------
 */

static void test_history_list_newest_first_by_pages(void **state)
{
    char cursor[64] = "", conv[16];
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    for (i = 1; i <= 5; i++) {
        snprintf(conv, sizeof(conv), "c%d", i);
        answered(env.store, i, "user:li", conv, "q", "a");
    }
    answered(env.store, 6, "user:wang", "other", "q", "a");
    answered(env.store, 7, "user:li", "c2", "again", "a"); /* moves up */
    env_settle(env.store);
    assert_string_equal(list(env.store, "user:li", NULL, 2, cursor, 64),
                        "c2 c5 |more");
    assert_string_equal(list(env.store, "user:li", "", 2, cursor, 64),
                        "c4 c3 |more");
    assert_string_equal(list(env.store, "user:li", NULL, 2, cursor, 64),
                        "c1 |end");
    assert_string_equal(cursor, "");
    assert_string_equal(list(env.store, "user:nobody", NULL, 0, cursor, 64),
                        "|end");
    env_close(&env);
}

/* Many conversations of one moment: the id decides, none is left out. */
static void test_history_pages_with_equal_times(void **state)
{
    char cursor[64] = "", conv[16];
    int i, n = 0;
    env_t env;

    (void)state;
    bl_clock_turn(0);
    env_open(&env);
    for (i = 1; i <= 30; i++) {
        snprintf(conv, sizeof(conv), "c%02d", i);
        env_begin(env.store, i, "user:li", conv, "q");
    }
    env_settle(env.store);
    do {
        const char *page = list(env.store, "user:li", NULL, 7, cursor, 64);

        for (; *page; page++)
            n += *page == 'c';
    } while (*cursor);
    assert_int_equal(n, 30);
    env_close(&env);
}

static void test_history_refuses_bad_cursors(void **state)
{
    static const char *const bad[] = {"x",
                                      "1",
                                      "1-",
                                      "-1-1",
                                      "1-0",
                                      "01-1",
                                      "1-1 ",
                                      "1-1-1",
                                      "1--1",
                                      "1e3-1",
                                      "99999999999999999999-1",
                                      "1-1' OR '1'='1"};
    env_t env;
    size_t i;

    (void)state;
    env_open(&env);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bl_buf_clear(&out);
        assert_int_equal(bl_store_conversations(env.store, "user:li", NULL, 10,
                                                bad[i], &out),
                         BL_E_BAD_VALUE);
        assert_int_equal(out.len, 0);
    }
    env_close(&env);
}

/* --- search ----------------------------------------------------------------
 */

static void test_history_search_chinese_words_of_one_and_two(void **state)
{
    env_t env;

    (void)state;
    env_open(&env);
    answered(env.store, 1, "user:li", "c1", "今天天气怎么样", "晴，二十度");
    answered(env.store, 2, "user:li", "c2", "写一首诗", "床前明月光");
    answered(env.store, 3, "user:wang", "c3", "天气", "雨");
    env_settle(env.store);
    assert_string_equal(found(env.store, "天气"), "c1 |end");
    assert_string_equal(found(env.store, "诗"), "c2 |end");
    assert_string_equal(found(env.store, "光"), "c2 |end");
    assert_string_equal(found(env.store, "雨"), "|end");
    /* All terms, each anywhere in the conversation; U+3000 parts them too. */
    assert_string_equal(found(env.store, "明月\xe3\x80\x80诗"), "c2 |end");
    assert_string_equal(found(env.store, "明月 天气"), "|end");
    env_close(&env);
}

/* S-47: nothing in a query is an operator. */
static void test_history_search_has_no_operators(void **state)
{
    static const char *const nothing[] = {"%",
                                          "_",
                                          "*",
                                          "x*",
                                          "\"",
                                          "'",
                                          "';DROP TABLE message;--",
                                          "hello OR zzz",
                                          "NEAR(a b)",
                                          "title:hello",
                                          "^hello",
                                          "-hello",
                                          "a AND b",
                                          "(",
                                          "\\"};
    env_t env;
    size_t i;

    (void)state;
    env_open(&env);
    answered(env.store, 1, "user:li", "c1", "Hello World", "100 percent");
    answered(env.store, 2, "user:li", "c2", "50% of it", "a_b");
    env_settle(env.store);
    assert_string_equal(found(env.store, "hello"), "c1 |end");
    assert_string_equal(found(env.store, "WORLD hell"), "c1 |end");
    assert_string_equal(found(env.store, "50%"), "c2 |end");
    assert_string_equal(found(env.store, "a_b"), "c2 |end");
    assert_string_equal(found(env.store, "  "), "c2 c1 |end");
    for (i = 2; i < sizeof(nothing) / sizeof(nothing[0]); i++) {
        if (strcmp(found(env.store, nothing[i]), "|end")) {
            fail_msg("%s found %s", nothing[i], found(env.store, nothing[i]));
        }
    }
    env_close(&env);
}

/* S-47: 200 characters and 8 terms are taken, one more is not. */
static void test_history_search_limits(void **state)
{
    char text[1024] = "", cursor[8] = "";
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    for (i = 0; i < 200; i++)
        strcat(text, "天");
    assert_string_equal(list(env.store, "user:li", text, 9, cursor, 8), "|end");
    strcat(text, "天");
    assert_int_equal(
        bl_store_conversations(env.store, "user:li", text, 9, "", &out),
        BL_E_BAD_VALUE);
    assert_string_equal(found(env.store, "1 2 3 4 5 6 7 8"), "|end");
    assert_int_equal(bl_store_conversations(env.store, "user:li",
                                            "1 2 3 4 5 6 7 8 9", 9, "", &out),
                     BL_E_BAD_VALUE);
    assert_int_equal(
        bl_store_conversations(env.store, "user:li", "\xff", 9, "", &out),
        BL_E_BAD_UTF8);
    env_close(&env);
}

/* A search of much text answers in time, in pages that move on. */
static void test_history_search_is_bounded(void **state)
{
    char *big = malloc(1 << 20), cursor[64] = "", conv[16];
    int i, pages = 0, hits = 0;
    env_t env;

    (void)state;
    memset(big, 'x', (1 << 20) - 1);
    big[(1 << 20) - 1] = '\0';
    env_open(&env);
    for (i = 1; i <= 100; i++) {
        snprintf(conv, sizeof(conv), "c%d", i);
        answered(env.store, i, "user:li", conv, i == 1 ? "needle" : "q", big);
    }
    env_settle(env.store);
    do {
        const char *page = list(env.store, "user:li", "needle", 10, cursor, 64);

        hits += !strncmp(page, "c1 ", 3);
        assert_true(++pages < 100);
    } while (*cursor);
    assert_int_equal(hits, 1);
    assert_true(pages > 1);
    free(big);
    env_close(&env);
}

/* --- read ------------------------------------------------------------------
 */

static json_t *read_json(bl_store_t *s, const char *id)
{
    bl_buf_clear(&out);
    assert_int_equal(bl_store_conversation(s, "user:li", id, &out),
                     APR_SUCCESS);
    return parsed();
}

static const char *text_of(const json_t *m, const char *field)
{
    const char *s = json_string_value(json_object_get(m, field));

    return s ? s : "(none)";
}

static void test_history_read_a_conversation(void **state)
{
    json_t *j, *m;
    env_t env;

    (void)state;
    env_open(&env);
    answered(env.store, 1, "user:li", "c1", "\n  Why \"so\"?\nsecond line",
             "Because\n\\ 好");
    env_settle(env.store);
    j = read_json(env.store, "c1");
    assert_string_equal(text_of(j, "conversationId"), "c1");
    assert_string_equal(text_of(j, "title"), "Why \"so\"?");
    assert_int_equal(strlen(text_of(j, "createdAt")), 24);
    assert_int_equal(json_array_size(json_object_get(j, "messages")), 2);
    m = json_array_get(json_object_get(j, "messages"), 0);
    assert_string_equal(text_of(m, "role"), "user");
    assert_string_equal(text_of(m, "itemId"), "item");
    assert_string_equal(text_of(m, "streamId"), env_id(1));
    assert_null(json_object_get(m, "outcome"));
    m = json_array_get(json_object_get(j, "messages"), 1);
    assert_string_equal(text_of(m, "role"), "assistant");
    assert_string_equal(text_of(m, "content"), "Because\n\\ 好");
    assert_string_equal(text_of(m, "outcome"), "completed");
    assert_string_equal(text_of(m, "streamId"), env_id(1));
    assert_int_equal(json_integer_value(json_object_get(
                         json_object_get(m, "usage"), "outputTokens")),
                     11);
    json_decref(j);
    env_close(&env);
}

/* An answer that runs is put together from what is stored of it so far. */
static void test_history_read_while_the_answer_runs(void **state)
{
    static const char *const words[] = {"~let me", "~ think", "Hel", "lo",
                                        NULL};
    json_t *j, *m;
    env_t env;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "q");
    env_say(env.store, 1, 1, words);
    env_settle(env.store);
    j = read_json(env.store, "c1");
    m = json_array_get(json_object_get(j, "messages"), 1);
    assert_string_equal(text_of(m, "state"), "live");
    assert_string_equal(text_of(m, "content"), "Hello");
    assert_string_equal(text_of(m, "reasoning"), "let me think");
    assert_null(json_object_get(m, "outcome"));
    json_decref(j);
    env_close(&env);
}

static void test_history_failed_answer_keeps_its_reason(void **state)
{
    bl_store_end_t e;
    json_t *j, *m;
    env_t env;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "q");
    memset(&e, 0, sizeof(e));
    e.stream_id = env_id(1);
    e.outcome = BL_OUTCOME_ERROR;
    e.reason = "upstream_cut";
    e.text = "part";
    e.text_len = 4;
    e.references = "[{\"title\":\"doc\"}]";
    e.input_tokens = e.output_tokens = -1;
    e.at = bl_clock_wall();
    assert_int_equal(bl_store_put_end(env.store, &e), APR_SUCCESS);
    env_settle(env.store);
    j = read_json(env.store, "c1");
    m = json_array_get(json_object_get(j, "messages"), 1);
    assert_string_equal(text_of(m, "content"), "part");
    assert_string_equal(text_of(m, "outcome"), "error");
    assert_string_equal(text_of(m, "reason"), "upstream_cut");
    assert_int_equal(json_array_size(json_object_get(m, "references")), 1);
    assert_null(json_object_get(m, "usage"));
    json_decref(j);
    env_close(&env);
}

static void test_history_markdown(void **state)
{
    static const char *const words[] = {"so ", "far", NULL};
    env_t env;

    (void)state;
    bl_clock_turn(0);
    env_open(&env);
    answered(env.store, 1, "user:li", "c1", "Why?", "**Because**");
    env_begin(env.store, 2, "user:li", "c1", "And?");
    env_say(env.store, 2, 1, words);
    env_settle(env.store);
    bl_buf_clear(&out);
    assert_int_equal(
        bl_store_conversation_markdown(env.store, "user:li", "c1", &out),
        APR_SUCCESS);
    assert_non_null(bl_buf_str(&out));
    assert_int_equal(strncmp(out.data, "# Why?\n\n## User (", 17), 0);
    assert_non_null(strstr(out.data, "\n\n**Because**\n"));
    assert_non_null(
        strstr(out.data, "\n\nso far\n\n*(still being written)*\n"));
    env_close(&env);
}

/* S-04: somebody else's conversation is not there, by any call. */
static void test_history_foreign_is_not_found(void **state)
{
    env_t env;

    (void)state;
    env_open(&env);
    answered(env.store, 1, "user:wang", "c1", "q", "a");
    env_settle(env.store);
    bl_buf_clear(&out);
    assert_int_equal(bl_store_conversation(env.store, "user:li", "c1", &out),
                     BL_E_NOT_FOUND);
    assert_int_equal(
        bl_store_conversation_markdown(env.store, "user:li", "c1", &out),
        BL_E_NOT_FOUND);
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", "x"),
                     BL_E_NOT_FOUND);
    assert_int_equal(bl_store_do_delete(env.store, "user:li", "c1"),
                     BL_E_NOT_FOUND);
    assert_int_equal(out.len, 0);
    assert_string_equal(env_sql(&env, "SELECT title FROM conversation"), "q");
    env_close(&env);
}

/* --- change ----------------------------------------------------------------
 */

static void test_history_rename(void **state)
{
    char longest[802];
    env_t env;

    (void)state;
    env_open(&env);
    answered(env.store, 1, "user:li", "c1", "q", "a");
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", "新名字"),
                     APR_SUCCESS);
    assert_string_equal(env_sql(&env, "SELECT title FROM conversation"),
                        "新名字");
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", ""),
                     BL_E_BAD_VALUE);
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", "a\nb"),
                     BL_E_BAD_VALUE);
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", "\xc3("),
                     BL_E_BAD_VALUE);
    memset(longest, 'x', sizeof(longest));
    longest[801] = '\0';
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", longest),
                     BL_E_BAD_VALUE);
    longest[800] = '\0';
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", longest),
                     APR_SUCCESS);
    env_close(&env);
}

/* A session that was opened before its first question (dialects.md 2). */
static void test_history_create(void **state)
{
    env_t env;

    (void)state;
    env_open(&env);
    assert_int_equal(bl_store_do_create(env.store, "user:li", "c1", "", 7),
                     APR_SUCCESS);
    assert_int_equal(bl_store_do_create(env.store, "user:li", "c2", "茶", 8),
                     APR_SUCCESS);
    assert_int_equal(bl_store_do_create(env.store, "user:li", "c1", "x", 9),
                     BL_E_CONFLICT);
    assert_int_equal(bl_store_do_create(env.store, "user:wu", "c1", "x", 9),
                     APR_SUCCESS);
    assert_int_equal(bl_store_do_create(env.store, "user:li", "c3", "a\nb", 9),
                     BL_E_BAD_VALUE);
    assert_string_equal(env_sql(&env,
                                "SELECT group_concat(title || created_at) FROM"
                                " (SELECT * FROM conversation ORDER BY id)"),
                        "7,茶8,x9");
    answered(env.store, 1, "user:li", "c1", "第一问", "a");
    answered(env.store, 2, "user:li", "c2", "第一问", "a");
    answered(env.store, 3, "user:li", "c1", "第二问", "a");
    env_settle(env.store);
    assert_string_equal(env_sql(&env, "SELECT group_concat(title) FROM"
                                      " (SELECT title FROM conversation"
                                      " WHERE owner = 'user:li' ORDER BY id)"),
                        "第一问,茶");
    env_close(&env);
}

static int file_holds(const char *path, const char *needle)
{
    FILE *f = fopen(path, "rb");
    size_t n = strlen(needle), len;
    char *all;
    int found_it;

    if (!f) return 0;
    fseek(f, 0, SEEK_END);
    len = (size_t)ftell(f);
    rewind(f);
    all = malloc(len + 1);
    assert_int_equal(fread(all, 1, len, f), len);
    fclose(f);
    found_it = memmem(all, len, needle, n) != NULL;
    free(all);
    return found_it;
}

/* All of it goes, and what was deleted cannot be read in the file (S-45). */
static void test_history_delete_leaves_nothing(void **state)
{
    static const char *const words[] = {"canary-event-text", NULL};
    char wal[128];
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "canary-question");
    env_say(env.store, 1, 1, words);
    env_end(env.store, 1, BL_OUTCOME_COMPLETED, "canary-answer", 1);
    answered(env.store, 2, "user:li", "c2", "other", "other");
    env_settle(env.store);
    assert_int_equal(bl_store_do_delete(env.store, "user:li", "c1"),
                     APR_SUCCESS);
    assert_string_equal(env_sql(&env,
                                "SELECT (SELECT count(*) FROM conversation),"
                                " (SELECT count(*) FROM message),"
                                " (SELECT count(*) FROM stream),"
                                " (SELECT count(*) FROM stream_event)"),
                        "1|2|1|0");
    snprintf(wal, sizeof(wal), "%s-wal", env.path);
    /* What is still in the log goes when it is used again. */
    bl_store_close(env.store, 5000);
    env.store = env_second(&env);
    for (i = 10; i < 300; i++)
        answered(env.store, i, "user:li", "c3", "more", "more");
    bl_store_close(env.store, 5000);
    env.store = NULL;
    assert_string_equal(env_sql(&env, "PRAGMA wal_checkpoint(TRUNCATE)"),
                        "0|0|0");
    assert_false(file_holds(env.path, "canary"));
    assert_false(file_holds(wal, "canary"));
    env_close(&env);
}

static int setup(void **state)
{
    (void)state;
    bl_buf_init(&out, 64 << 20);
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
        cmocka_unit_test(test_history_list_newest_first_by_pages),
        cmocka_unit_test(test_history_refuses_bad_cursors),
        cmocka_unit_test(test_history_search_chinese_words_of_one_and_two),
        cmocka_unit_test(test_history_search_has_no_operators),
        cmocka_unit_test(test_history_search_limits),
        cmocka_unit_test(test_history_search_is_bounded),
        cmocka_unit_test(test_history_read_a_conversation),
        cmocka_unit_test(test_history_read_while_the_answer_runs),
        cmocka_unit_test(test_history_failed_answer_keeps_its_reason),
        cmocka_unit_test(test_history_foreign_is_not_found),
        cmocka_unit_test(test_history_rename),
        cmocka_unit_test(test_history_create),
        cmocka_unit_test(test_history_delete_leaves_nothing),
        /* These stop the clock: last. */
        cmocka_unit_test(test_history_pages_with_equal_times),
        cmocka_unit_test(test_history_markdown),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

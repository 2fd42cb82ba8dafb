/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "stream/journal.h"

#include <pthread.h>

#define ENOUGH (1024 * 1024)
#define INDEX 16 /* of an event */

static bl_event_t make(bl_event_kind_t kind, const char *text)
{
    bl_event_t ev;

    memset(&ev, 0, sizeof(ev));
    ev.kind = kind;
    ev.text = text;
    ev.text_len = strlen(text);
    return ev;
}

static apr_status_t say(bl_journal_t *j, const char *text, apr_uint64_t *pseq)
{
    bl_event_t ev = make(BL_EV_DELTA, text);

    return bl_journal_append(j, &ev, pseq);
}

static bl_journal_t *journal_with(const char *letters)
{
    bl_journal_t *j;
    char text[2] = "";

    assert_int_equal(bl_journal_create(&j, ENOUGH, NULL), APR_SUCCESS);
    for (; *letters; letters++) {
        text[0] = *letters;
        assert_int_equal(say(j, text, NULL), APR_SUCCESS);
    }
    return j;
}

/* "2b 3c " of what is read after a seq, `most` events at a time. */
static const char *read_after(bl_journal_t *j, apr_uint64_t after, int most,
                              apr_status_t *prv)
{
    static char out[256];
    bl_event_t events[8];
    int n, i;

    out[0] = '\0';
    while ((*prv = bl_journal_read(j, after, events, most, &n)) == APR_SUCCESS)
    {
        assert_true(n > 0 && n <= most);
        for (i = 0; i < n; i++) {
            size_t len = strlen(out);

            snprintf(out + len, sizeof(out) - len, "%lu%.*s ",
                     (unsigned long)events[i].seq, (int)events[i].text_len,
                     events[i].text);
        }
        after = events[n - 1].seq;
    }
    assert_int_equal(n, 0);
    return out;
}

static void test_journal_numbers_events_from_1_without_a_gap(void **state)
{
    bl_journal_t *j = journal_with("");
    apr_uint64_t seq, i;

    (void)state;
    assert_int_equal(bl_journal_tail(j), 0);
    for (i = 1; i <= 1000; i++) {
        assert_int_equal(say(j, "x", &seq), APR_SUCCESS);
        assert_int_equal(seq, i);
        assert_int_equal(bl_journal_tail(j), i);
    }
    bl_journal_destroy(j);
}

/* I3: whoever comes back after seq n gets n + 1 next, once. */
static void
test_journal_resume_after_each_seq_has_no_gap_no_repeat(void **state)
{
    static const char *const expected[] = {
        "1a 2b 3c 4d 5e ", "2b 3c 4d 5e ", "3c 4d 5e ", "4d 5e ", "5e ", ""};
    bl_journal_t *j = journal_with("abcde");
    apr_uint64_t after;
    apr_status_t rv;
    int most;

    (void)state;
    for (most = 1; most <= 8; most++) {
        for (after = 0; after <= 5; after++) {
            assert_string_equal(read_after(j, after, most, &rv),
                                expected[after]);
            assert_int_equal(rv, APR_EAGAIN);
        }
    }
    bl_journal_destroy(j);
}

/* C14: beyond the newest a reader waits while the stream lives, and is told the
 * end when it has ended. */
static void test_journal_read_beyond_the_newest_waits_or_ends(void **state)
{
    static const apr_uint64_t beyond[] = {
        5, 6, 1000000, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    bl_journal_t *j = journal_with("abcde");
    apr_status_t rv;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        assert_string_equal(read_after(j, beyond[i], 4, &rv), "");
        assert_int_equal(rv, APR_EAGAIN);
        assert_int_equal(bl_journal_weight_after(j, beyond[i]), 0);
    }
    bl_journal_close(j);
    for (i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
        assert_string_equal(read_after(j, beyond[i], 4, &rv), "");
        assert_int_equal(rv, APR_EOF);
    }
    bl_journal_destroy(j);
}

static void test_journal_closed_takes_no_event(void **state)
{
    bl_journal_t *j = journal_with("ab");
    bl_event_t end = make(BL_EV_END, "");
    apr_status_t rv;

    (void)state;
    bl_journal_close(j);
    assert_int_equal(say(j, "c", NULL), BL_E_INTERNAL);
    end.seq = 9;
    assert_int_equal(bl_journal_append_at(j, &end), BL_E_INTERNAL);
    assert_string_equal(read_after(j, 0, 4, &rv), "1a 2b ");
    assert_int_equal(rv, APR_EOF);
    bl_journal_destroy(j);
}

static void test_journal_event_keeps_kind_time_text_and_fields(void **state)
{
    static const char fields[] = "{\"keep\":3}";
    bl_journal_t *j = journal_with("");
    bl_event_t ev = make(BL_EV_REPLACE, "text"), out;
    int n;

    (void)state;
    ev.at_ms = 77;
    ev.seq = 12345; /* is ignored */
    ev.fields = fields;
    ev.fields_len = sizeof(fields) - 1;
    assert_int_equal(bl_journal_append(j, &ev, NULL), APR_SUCCESS);
    assert_int_equal(bl_journal_read(j, 0, &out, 1, &n), APR_SUCCESS);
    assert_int_equal(out.seq, 1);
    assert_int_equal(out.kind, BL_EV_REPLACE);
    assert_int_equal(out.at_ms, 77);
    assert_int_equal(out.text_len, 4);
    assert_memory_equal(out.text, "text", 4);
    assert_int_equal(out.fields_len, sizeof(fields) - 1);
    assert_memory_equal(out.fields, fields, out.fields_len);
    assert_ptr_not_equal(out.text, ev.text);
    ev = make(BL_EV_START, "");
    bl_journal_append(j, &ev, NULL);
    assert_int_equal(bl_journal_read(j, 1, &out, 1, &n), APR_SUCCESS);
    assert_string_equal(out.text, "");
    assert_null(out.fields);
    bl_journal_destroy(j);
}

/* A reader sends from its views while the journal grows on. */
static void test_journal_views_stay_valid_while_it_grows(void **state)
{
    bl_journal_t *j = journal_with("");
    bl_event_t first[8];
    char text[64];
    int i, n;

    (void)state;
    for (i = 0; i < 8; i++) {
        snprintf(text, sizeof(text), "early %d", i);
        say(j, text, NULL);
    }
    assert_int_equal(bl_journal_read(j, 0, first, 8, &n), APR_SUCCESS);
    assert_int_equal(n, 8);
    for (i = 0; i < 20000; i++)
        say(j, "later later later", NULL);
    for (i = 0; i < 8; i++) {
        snprintf(text, sizeof(text), "early %d", i);
        assert_int_equal(first[i].text_len, strlen(text));
        assert_memory_equal(first[i].text, text, first[i].text_len);
    }
    bl_journal_destroy(j);
}

/* S-55: exact, and what is refused takes no number. */
static void test_journal_ceiling_is_exact_and_costs_no_seq(void **state)
{
    bl_journal_t *j;
    apr_uint64_t seq;
    apr_status_t rv;

    (void)state;
    bl_journal_create(&j, 10, NULL);
    assert_int_equal(say(j, "12345", NULL), APR_SUCCESS);
    assert_int_equal(say(j, "678901", NULL), APR_ENOSPC);
    assert_int_equal(bl_journal_tail(j), 1);
    assert_int_equal(bl_journal_bytes(j), 5);
    assert_int_equal(say(j, "67890", &seq), APR_SUCCESS);
    assert_int_equal(seq, 2);
    assert_int_equal(say(j, "1", NULL), APR_ENOSPC);
    assert_string_equal(read_after(j, 0, 4, &rv), "112345 267890 ");
    bl_journal_destroy(j);
}

/* I2: a stream must be able to end, however full its journal is. */
static void test_journal_full_still_takes_the_end(void **state)
{
    char fields[70000];
    bl_event_t ev = make(BL_EV_STATUS, ""), end = make(BL_EV_END, "");
    bl_journal_t *j;
    int n = 0;

    (void)state;
    memset(fields, 'x', sizeof(fields));
    bl_journal_create(&j, 4, NULL);
    assert_int_equal(say(j, "1234", NULL), APR_SUCCESS);
    ev.fields = fields;
    ev.fields_len = 1000;
    while (bl_journal_append(j, &ev, NULL) == APR_SUCCESS)
        n++;
    assert_true(n > 1 && n < 100); /* some room, and not for ever */
    end.fields = fields;
    end.fields_len = sizeof(fields);
    assert_int_equal(bl_journal_append(j, &end, NULL), APR_SUCCESS);
    bl_journal_destroy(j);
}

static void test_journal_event_too_large_for_its_index_is_refused(void **state)
{
    bl_event_t ev = make(BL_EV_END, "");
    char *text = malloc(1 << 24);
    bl_journal_t *j;

    (void)state;
    memset(text, 'x', 1 << 24);
    bl_journal_create(&j, 64 * ENOUGH, NULL);
    ev.text = text;
    ev.text_len = 1 << 24;
    assert_int_equal(bl_journal_append(j, &ev, NULL), APR_ENOSPC);
    ev.text_len--;
    assert_int_equal(bl_journal_append(j, &ev, NULL), APR_SUCCESS);
    assert_int_equal(bl_journal_bytes(j), (1 << 24) - 1);
    bl_journal_destroy(j);
    free(text);
}

/* ... also where an event brings its own number. */
static void
test_journal_numbered_event_beyond_24_bits_is_refused_whole(void **state)
{
    bl_journal_t *j;
    char *text = calloc(1, 1 << 24);
    bl_event_t end = make(BL_EV_END, "");

    (void)state;
    assert_int_equal(bl_journal_create(&j, (size_t)1 << 30, NULL), APR_SUCCESS);
    end.seq = 1;
    end.text = text;
    end.text_len = 1 << 24;
    assert_int_equal(bl_journal_append_at(j, &end), APR_ENOSPC);
    end.text_len = 0;
    end.fields = text;
    end.fields_len = 1 << 24;
    assert_int_equal(bl_journal_append_at(j, &end), APR_ENOSPC);
    end.fields_len--;
    assert_int_equal(bl_journal_append_at(j, &end), APR_SUCCESS);
    bl_journal_destroy(j);
    free(text);
}

/* P01: after a crash the END stands above every seq that can have been
 * delivered, and reading goes from what was stored to it. */
static void test_journal_end_above_is_read_after_every_lower_seq(void **state)
{
    bl_journal_t *j = journal_with("abc");
    bl_event_t end = make(BL_EV_END, "!");
    static const apr_uint64_t afters[] = {3, 4, 500, 1000002};
    apr_status_t rv;
    size_t i;

    (void)state;
    end.seq = 1000003;
    assert_int_equal(bl_journal_append_at(j, &end), APR_SUCCESS);
    assert_int_equal(bl_journal_tail(j), 1000003);
    assert_string_equal(read_after(j, 0, 2, &rv), "1a 2b 3c 1000003! ");
    assert_int_equal(rv, APR_EOF);
    assert_string_equal(read_after(j, 2, 8, &rv), "3c 1000003! ");
    for (i = 0; i < 4; i++) {
        assert_string_equal(read_after(j, afters[i], 1, &rv), "1000003! ");
        assert_int_equal(rv, APR_EOF);
        assert_int_equal(bl_journal_weight_after(j, afters[i]), 1 + INDEX);
    }
    assert_string_equal(read_after(j, 1000003, 1, &rv), "");
    assert_int_equal(rv, APR_EOF);
    assert_string_equal(read_after(j, UINT64_MAX, 1, &rv), "");
    assert_int_equal(rv, APR_EOF);
    assert_int_equal(bl_journal_weight_after(j, 1000003), 0);
    assert_int_equal(say(j, "d", NULL), BL_E_INTERNAL);
    bl_journal_destroy(j);
}

/* I3: a seq once seen never names another event. */
static void test_journal_end_at_a_seq_that_is_taken_is_refused(void **state)
{
    bl_journal_t *j = journal_with("abc");
    bl_event_t end = make(BL_EV_END, "!");
    apr_status_t rv;

    (void)state;
    for (end.seq = 0; end.seq <= 3; end.seq++) {
        assert_int_equal(bl_journal_append_at(j, &end), BL_E_INTERNAL);
    }
    assert_string_equal(read_after(j, 0, 8, &rv), "1a 2b 3c ");
    assert_int_equal(rv, APR_EAGAIN);
    assert_int_equal(bl_journal_append_at(j, &end), APR_SUCCESS); /* 4: next */
    assert_string_equal(read_after(j, 3, 8, &rv), "4! ");
    assert_int_equal(rv, APR_EOF);
    bl_journal_destroy(j);
}

/* What is no longer kept is said, never skipped. */
static void test_journal_begun_later_says_trimmed_below(void **state)
{
    bl_journal_t *j = journal_with("");
    apr_status_t rv;

    (void)state;
    bl_journal_begin_after(j, 10);
    assert_int_equal(bl_journal_tail(j), 10);
    say(j, "k", NULL);
    say(j, "l", NULL);
    bl_journal_begin_after(j, 50); /* too late: changes nothing */
    assert_string_equal(read_after(j, 10, 8, &rv), "11k 12l ");
    assert_string_equal(read_after(j, 11, 8, &rv), "12l ");
    assert_string_equal(read_after(j, 9, 8, &rv), "");
    assert_int_equal(rv, BL_E_TRIMMED);
    assert_string_equal(read_after(j, 0, 8, &rv), "");
    assert_int_equal(rv, BL_E_TRIMMED);
    bl_journal_destroy(j);
}

static void test_journal_lag_is_the_weight_after_a_seq(void **state)
{
    bl_journal_t *j = journal_with("");
    bl_event_t ev = make(BL_EV_STATUS, "ab");

    (void)state;
    ev.fields = "{}";
    ev.fields_len = 2;
    say(j, "12345", NULL);
    bl_journal_append(j, &ev, NULL);
    say(j, "1", NULL);
    assert_int_equal(bl_journal_bytes(j), 10);
    assert_int_equal(bl_journal_weight(j), 10 + 3 * INDEX);
    assert_int_equal(bl_journal_weight_after(j, 0), 10 + 3 * INDEX);
    assert_int_equal(bl_journal_weight_after(j, 1), 5 + 2 * INDEX);
    assert_int_equal(bl_journal_weight_after(j, 2), 1 + INDEX);
    assert_int_equal(bl_journal_weight_after(j, 3), 0);
    bl_journal_destroy(j);
}

/* 10,000 streams must fit: 16 bytes an event, little beside the text. */
static void test_journal_memory_is_text_and_a_small_index(void **state)
{
    bl_journal_t *j = journal_with("");
    int i;

    (void)state;
    say(j, "hello", NULL);
    assert_true(bl_journal_memory(j) <= 1200);
    for (i = 1; i < 4096; i++)
        say(j, "hello", NULL);
    assert_true(bl_journal_memory(j) <= 4096 * 16 + 4096 * 5 + 8 * 1024 + 2048);
    bl_journal_destroy(j);
}

#define EVENTS 50000
#define READERS 3

static void *produce(void *ctx)
{
    bl_journal_t *j = ctx;
    bl_event_t end = make(BL_EV_END, "");
    char text[32];
    int i;

    for (i = 1; i <= EVENTS; i++) {
        snprintf(text, sizeof(text), "%d", i);
        say(j, text, NULL);
    }
    bl_journal_append(j, &end, NULL);
    bl_journal_close(j);
    return NULL;
}

/* Answers how many events came; -1 when one was skipped, repeated or changed.
 */
static void *consume(void *ctx)
{
    bl_journal_t *j = ctx;
    apr_uint64_t after = 0;
    bl_event_t events[16];
    char text[32];
    apr_status_t rv;
    int n, i;

    while ((rv = bl_journal_read(j, after, events, 16, &n)) != APR_EOF) {
        for (i = 0; i < n; i++) {
            snprintf(text, sizeof(text), "%lu", (unsigned long)after + 1);
            if (events[i].seq != after + 1) return (void *)(intptr_t)-1;
            after = events[i].seq;
            if (events[i].kind == BL_EV_END) continue;
            if (events[i].text_len != strlen(text) ||
                memcmp(events[i].text, text, events[i].text_len))
            {
                return (void *)(intptr_t)-1;
            }
        }
    }
    return (void *)(intptr_t)after;
}

/* I3 with the producer at full speed beside its readers. */
static void test_journal_readers_beside_the_producer_get_all(void **state)
{
    bl_journal_t *j = journal_with("");
    pthread_t producer, readers[READERS];
    void *got;
    int i;

    (void)state;
    for (i = 0; i < READERS; i++)
        pthread_create(&readers[i], NULL, consume, j);
    pthread_create(&producer, NULL, produce, j);
    pthread_join(producer, NULL);
    for (i = 0; i < READERS; i++) {
        pthread_join(readers[i], &got);
        assert_int_equal((intptr_t)got, EVENTS + 1);
    }
    bl_journal_destroy(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_numbers_events_from_1_without_a_gap),
        cmocka_unit_test(
            test_journal_resume_after_each_seq_has_no_gap_no_repeat),
        cmocka_unit_test(test_journal_read_beyond_the_newest_waits_or_ends),
        cmocka_unit_test(test_journal_closed_takes_no_event),
        cmocka_unit_test(test_journal_event_keeps_kind_time_text_and_fields),
        cmocka_unit_test(test_journal_views_stay_valid_while_it_grows),
        cmocka_unit_test(test_journal_ceiling_is_exact_and_costs_no_seq),
        cmocka_unit_test(test_journal_full_still_takes_the_end),
        cmocka_unit_test(test_journal_event_too_large_for_its_index_is_refused),
        cmocka_unit_test(
            test_journal_numbered_event_beyond_24_bits_is_refused_whole),
        cmocka_unit_test(test_journal_end_above_is_read_after_every_lower_seq),
        cmocka_unit_test(test_journal_end_at_a_seq_that_is_taken_is_refused),
        cmocka_unit_test(test_journal_begun_later_says_trimmed_below),
        cmocka_unit_test(test_journal_lag_is_the_weight_after_a_seq),
        cmocka_unit_test(test_journal_memory_is_text_and_a_small_index),
        cmocka_unit_test(test_journal_readers_beside_the_producer_get_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

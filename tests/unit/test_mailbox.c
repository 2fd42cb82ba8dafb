/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/mailbox.h"

#include <poll.h>
#include <pthread.h>

typedef struct note_t {
    bl_letter_t letter;
    int number;
    int sender;
    bl_mailbox_t *again; /* posts itself there when it is read */
} note_t;

static char order[64];

static void read_note(bl_letter_t *letter)
{
    note_t *note = (note_t *)letter;
    size_t n = strlen(order);

    snprintf(order + n, sizeof(order) - n, "%d", note->number);
    if (note->again) {
        bl_mailbox_t *m = note->again;

        note->again = NULL;
        bl_mailbox_post(m, letter);
    }
}

static void make_notes(note_t *notes, int n)
{
    int i;

    memset(notes, 0, sizeof(*notes) * (size_t)n);
    for (i = 0; i < n; i++) {
        notes[i].letter.fn = read_note;
        notes[i].number = i;
    }
    order[0] = '\0';
}

static int is_readable(const bl_mailbox_t *m)
{
    struct pollfd p = {bl_mailbox_fd(m), POLLIN, 0};

    return poll(&p, 1, 0) == 1;
}

static void test_mailbox_runs_letters_in_the_order_they_came(void **state)
{
    note_t notes[5];
    bl_mailbox_t *m;
    int i, ran;

    (void)state;
    make_notes(notes, 5);
    assert_int_equal(bl_mailbox_create(&m, 10), APR_SUCCESS);
    for (i = 0; i < 5; i++)
        bl_mailbox_post(m, &notes[i].letter);
    bl_mailbox_run(m, &ran);
    assert_int_equal(ran, 5);
    assert_string_equal(order, "01234");
    bl_mailbox_run(m, &ran);
    assert_int_equal(ran, 0);
    bl_mailbox_destroy(m);
}

/* R05: new work is refused when the box is full, and nothing was posted. */
static void test_mailbox_full_refuses_new_work(void **state)
{
    note_t notes[5];
    bl_mailbox_t *m;
    int i, ran;

    (void)state;
    make_notes(notes, 5);
    assert_int_equal(bl_mailbox_create(&m, 3), APR_SUCCESS);
    for (i = 0; i < 3; i++)
        assert_int_equal(bl_mailbox_offer(m, &notes[i].letter), APR_SUCCESS);
    assert_int_equal(bl_mailbox_offer(m, &notes[3].letter), BL_E_OVERLOADED);
    bl_mailbox_run(m, &ran);
    assert_int_equal(ran, 3);
    assert_string_equal(order, "012");
    assert_int_equal(bl_mailbox_offer(m, &notes[4].letter), APR_SUCCESS);
    bl_mailbox_run(m, &ran);
    assert_string_equal(order, "0124");
    bl_mailbox_destroy(m);
}

/* R05: what must arrive (a cancel, a reclaimed connection) arrives. */
static void test_mailbox_full_still_takes_what_must_arrive(void **state)
{
    note_t notes[3];
    bl_mailbox_t *m;
    int ran;

    (void)state;
    make_notes(notes, 3);
    assert_int_equal(bl_mailbox_create(&m, 1), APR_SUCCESS);
    assert_int_equal(bl_mailbox_offer(m, &notes[0].letter), APR_SUCCESS);
    bl_mailbox_post(m, &notes[1].letter);
    assert_int_equal(bl_mailbox_offer(m, &notes[2].letter), BL_E_OVERLOADED);
    bl_mailbox_run(m, &ran);
    assert_string_equal(order, "01");
    bl_mailbox_destroy(m);
}

static void test_mailbox_wakes_its_owner_once_for_many(void **state)
{
    note_t notes[4];
    bl_mailbox_t *m;
    int i, ran;

    (void)state;
    make_notes(notes, 4);
    assert_int_equal(bl_mailbox_create(&m, 10), APR_SUCCESS);
    assert_false(is_readable(m));
    assert_false(bl_mailbox_has_mail(m));
    for (i = 0; i < 4; i++)
        bl_mailbox_post(m, &notes[i].letter);
    assert_true(is_readable(m));
    assert_true(bl_mailbox_has_mail(m));
    bl_mailbox_run(m, &ran);
    assert_false(is_readable(m));
    assert_false(bl_mailbox_has_mail(m));
    bl_mailbox_destroy(m);
}

/* Not at once, which could go on for ever, and not lost either. */
static void test_mailbox_letter_posted_by_a_letter_runs_next_time(void **state)
{
    note_t notes[2];
    bl_mailbox_t *m;
    int ran;

    (void)state;
    make_notes(notes, 2);
    assert_int_equal(bl_mailbox_create(&m, 10), APR_SUCCESS);
    notes[0].again = m;
    bl_mailbox_post(m, &notes[0].letter);
    bl_mailbox_post(m, &notes[1].letter);
    bl_mailbox_run(m, &ran);
    assert_int_equal(ran, 2);
    assert_string_equal(order, "01");
    assert_true(is_readable(m));
    bl_mailbox_run(m, &ran);
    assert_string_equal(order, "010");
    bl_mailbox_destroy(m);
}

static void free_note(bl_letter_t *letter)
{
    free(letter);
}

static void test_mailbox_letter_may_free_itself(void **state)
{
    bl_mailbox_t *m;
    int i, ran;

    (void)state;
    assert_int_equal(bl_mailbox_create(&m, 100), APR_SUCCESS);
    for (i = 0; i < 100; i++) {
        note_t *note = calloc(1, sizeof(*note));

        note->letter.fn = free_note;
        bl_mailbox_post(m, &note->letter);
    }
    bl_mailbox_run(m, &ran);
    assert_int_equal(ran, 100);
    bl_mailbox_destroy(m);
}

#define SENDERS 4
#define EACH 20000

static int newest[SENDERS];
static int is_out_of_order;
static bl_mailbox_t *busy;
static note_t all[SENDERS][EACH];

static void check_order(bl_letter_t *letter)
{
    note_t *note = (note_t *)letter;

    if (note->number != newest[note->sender] + 1) is_out_of_order = 1;
    newest[note->sender] = note->number;
}

static void *send_all(void *ctx)
{
    note_t *mine = ctx;
    int i, sender = mine->sender;

    for (i = 0; i < EACH; i++) {
        mine[i].letter.fn = check_order;
        mine[i].sender = sender;
        mine[i].number = i + 1;
        bl_mailbox_post(busy, &mine[i].letter);
    }
    return NULL;
}

/* The owner sleeps in poll alone: a wake-up that gets lost would hang here. */
static void test_mailbox_of_many_senders_loses_nothing(void **state)
{
    pthread_t threads[SENDERS];
    int i, ran, total = 0;

    (void)state;
    assert_int_equal(bl_mailbox_create(&busy, 16), APR_SUCCESS);
    for (i = 0; i < SENDERS; i++) {
        all[i][0].sender = i;
        pthread_create(&threads[i], NULL, send_all, all[i]);
    }
    while (total < SENDERS * EACH) {
        struct pollfd p = {bl_mailbox_fd(busy), POLLIN, 0};

        assert_int_equal(poll(&p, 1, CORE_WAIT_MS), 1);
        bl_mailbox_run(busy, &ran);
        total += ran;
    }
    for (i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_false(is_out_of_order);
    assert_int_equal(total, SENDERS * EACH);
    bl_mailbox_destroy(busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailbox_runs_letters_in_the_order_they_came),
        cmocka_unit_test(test_mailbox_full_refuses_new_work),
        cmocka_unit_test(test_mailbox_full_still_takes_what_must_arrive),
        cmocka_unit_test(test_mailbox_wakes_its_owner_once_for_many),
        cmocka_unit_test(test_mailbox_letter_posted_by_a_letter_runs_next_time),
        cmocka_unit_test(test_mailbox_letter_may_free_itself),
        cmocka_unit_test(test_mailbox_of_many_senders_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

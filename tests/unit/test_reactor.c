/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static bl_reactor_t *r;

static int open_reactor(void **state)
{
    (void)state;
    bl_log_install(log_nothing,
                   BL_LOG_ERR); /* late turns are made on purpose */
    return bl_reactor_create(&r) != APR_SUCCESS ||
           bl_reactor_start(r) != APR_SUCCESS;
}

static int close_reactor(void **state)
{
    (void)state;
    bl_reactor_stop(r);
    bl_reactor_destroy(r);
    return 0;
}

/* --- the thread ------------------------------------------------------------
 */

static void note_where(void *ctx)
{
    *(int *)ctx = bl_reactor_is_here(r);
}

static void test_reactor_runs_letters_on_its_own_thread(void **state)
{
    int was_here = 0;

    (void)state;
    assert_false(bl_reactor_is_here(r));
    on_reactor(r, note_where, &was_here);
    assert_true(was_here);
}

static void note_mask(void *ctx)
{
    pthread_sigmask(SIG_SETMASK, NULL, ctx);
}

/* Signals are the MPM's business. */
static void test_reactor_takes_no_signals(void **state)
{
    static const int signals[] = {SIGTERM, SIGHUP,  SIGUSR1,
                                  SIGINT,  SIGPIPE, SIGCHLD};
    sigset_t mask, mine;
    size_t i;

    (void)state;
    on_reactor(r, note_mask, &mask);
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        assert_true(sigismember(&mask, signals[i]));
        assert_false(sigismember(&mine, signals[i]));
    }
}

static sem_t gate, at_gate;

static void wait_at_gate(void *ctx)
{
    (void)ctx;
    sem_post(&at_gate);
    while (sem_wait(&gate))
        ;
}

static void *hold_reactor(void *ctx)
{
    on_reactor(r, wait_at_gate, ctx);
    return NULL;
}

static pthread_t hold(void)
{
    pthread_t thread;

    sem_init(&gate, 0, 0);
    sem_init(&at_gate, 0, 0);
    pthread_create(&thread, NULL, hold_reactor, NULL);
    while (sem_wait(&at_gate))
        ;
    return thread;
}

static void let_go(pthread_t thread)
{
    sem_post(&gate);
    pthread_join(thread, NULL);
    sem_destroy(&gate);
    sem_destroy(&at_gate);
}

static void nothing(bl_letter_t *letter)
{
    (void)letter;
}

/* R05: a reactor that is stuck refuses new work in the end, and says how late
 * it is (P09); what must arrive is still taken. */
static void test_reactor_stuck_refuses_new_work_and_says_how_late(void **state)
{
    enum { MANY = 70000 };
    bl_letter_t *letters = calloc(MANY, sizeof(*letters));
    pthread_t holder = hold();
    apr_status_t rv = APR_SUCCESS;
    int taken = 0;

    (void)state;
    while (taken < MANY - 1) {
        letters[taken].fn = nothing;
        rv = bl_reactor_offer(r, &letters[taken]);
        if (rv != APR_SUCCESS) break;
        taken++;
    }
    assert_int_equal(rv, BL_E_OVERLOADED);
    assert_int_equal(taken, 65536);
    letters[taken].fn = nothing;
    bl_reactor_post(r, &letters[taken]);
    wait_until(bl_reactor_lateness(r) >= 20);
    let_go(holder);
    on_reactor(r, note_where, &taken);
    wait_until(!bl_reactor_lateness(r));
    assert_true(bl_reactor_longest(r) >= 20);
    free(letters);
}

static int counted;

static void count_one(bl_letter_t *letter)
{
    (void)letter;
    __atomic_add_fetch(&counted, 1, __ATOMIC_RELEASE);
}

/* Left letters need nobody's wake-up. */
static void test_reactor_finds_a_left_letter_by_itself(void **state)
{
    bl_letter_t letter = {NULL, count_one};

    (void)state;
    counted = 0;
    bl_reactor_leave(r, &letter);
    wait_until(__atomic_load_n(&counted, __ATOMIC_ACQUIRE) == 1);
}

static void test_reactor_stops_after_what_was_posted_before(void **state)
{
    bl_letter_t letters[100];
    bl_reactor_t *other;
    int i;

    (void)state;
    assert_int_equal(bl_reactor_create(&other), APR_SUCCESS);
    counted = 0;
    for (i = 0; i < 100; i++) {
        letters[i].fn = count_one;
        bl_reactor_post(other, &letters[i]);
    }
    assert_int_equal(counted, 0); /* it was not started yet */
    assert_int_equal(bl_reactor_start(other), APR_SUCCESS);
    bl_reactor_stop(other);
    assert_int_equal(counted, 100);
    bl_reactor_stop(other); /* twice: nothing more */
    bl_reactor_destroy(other);
}

/* --- timers ----------------------------------------------------------------
 */

typedef struct alarm_t {
    bl_timer_t timer;
    bl_ms_t rang; /* by the clock */
    int is_done;
} alarm_t;

static void ring(void *ctx)
{
    alarm_t *a = ctx;

    a->rang = bl_clock_ms();
    __atomic_store_n(&a->is_done, 1, __ATOMIC_RELEASE);
}

static alarm_t alarms[3];

static void arm_all(void *ctx)
{
    bl_ms_t now = bl_clock_ms();
    int i;

    (void)ctx;
    memset(alarms, 0, sizeof(alarms));
    for (i = 0; i < 3; i++) {
        alarms[i].timer.fn = ring;
        alarms[i].timer.ctx = &alarms[i];
        bl_reactor_rt_arm(r, &alarms[i].timer, now + 30 - 10 * i);
    }
}

static void test_reactor_timers_ring_in_order_and_never_early(void **state)
{
    int i;

    (void)state;
    on_reactor(r, arm_all, NULL);
    for (i = 0; i < 3; i++) {
        wait_until(__atomic_load_n(&alarms[i].is_done, __ATOMIC_ACQUIRE));
        assert_true(alarms[i].rang >= alarms[i].timer.due_ms);
    }
    assert_true(alarms[2].rang <= alarms[1].rang);
    assert_true(alarms[1].rang <= alarms[0].rang);
}

static void arm_and_disarm(void *ctx)
{
    (void)ctx;
    arm_all(NULL);
    bl_reactor_rt_disarm(r, &alarms[1].timer);
}

static void test_reactor_timer_disarmed_does_not_ring(void **state)
{
    (void)state;
    on_reactor(r, arm_and_disarm, NULL);
    wait_until(__atomic_load_n(&alarms[0].is_done, __ATOMIC_ACQUIRE));
    assert_false(__atomic_load_n(&alarms[1].is_done, __ATOMIC_ACQUIRE));
}

/* --- descriptors -----------------------------------------------------------
 */

typedef struct ear_t {
    bl_watch_t watch;
    int fds[2];
    int heard;
    struct ear_t *clears; /* when it hears */
} ear_t;

static ear_t ears[2];

static void hear(void *ctx, unsigned events)
{
    ear_t *e = ctx;
    char byte;

    (void)events;
    if (read(e->fds[0], &byte, 1) < 0) return;
    if (e->clears) bl_watch_rt_clear(&e->clears->watch);
    __atomic_add_fetch(&e->heard, 1, __ATOMIC_RELEASE);
}

static void listen_all(void *ctx)
{
    int i;

    (void)ctx;
    for (i = 0; i < 2; i++) {
        ears[i].watch.fd = -1;
        ears[i].watch.fn = hear;
        ears[i].watch.ctx = &ears[i];
        bl_watch_rt_set(r, &ears[i].watch, ears[i].fds[0], EPOLLIN);
    }
}

static void stop_listening(void *ctx)
{
    int i;

    (void)ctx;
    for (i = 0; i < 2; i++) {
        bl_watch_rt_clear(&ears[i].watch);
        bl_watch_rt_clear(&ears[i].watch); /* twice: nothing more */
        close(ears[i].fds[0]);
        close(ears[i].fds[1]);
    }
}

static void make_ears(void)
{
    memset(ears, 0, sizeof(ears));
    assert_int_equal(pipe(ears[0].fds), 0);
    assert_int_equal(pipe(ears[1].fds), 0);
}

static int heard(int i)
{
    return __atomic_load_n(&ears[i].heard, __ATOMIC_ACQUIRE);
}

static void
test_reactor_watch_is_told_when_its_descriptor_is_ready(void **state)
{
    (void)state;
    make_ears();
    on_reactor(r, listen_all, NULL);
    assert_int_equal(write(ears[1].fds[1], "x", 1), 1);
    wait_until(heard(1) == 1);
    assert_int_equal(heard(0), 0);
    assert_int_equal(write(ears[0].fds[1], "xx", 2), 2);
    wait_until(heard(0) == 2);
    on_reactor(r, stop_listening, NULL);
}

/* Both are ready in one turn, and the first that runs ends the other: its event
 * still stands in the list of this turn, and must not be told. */
static void test_reactor_watch_cleared_in_its_turn_is_not_told(void **state)
{
    pthread_t holder;

    (void)state;
    make_ears();
    ears[0].clears = &ears[1];
    ears[1].clears = &ears[0];
    on_reactor(r, listen_all, NULL);
    holder = hold();
    assert_int_equal(write(ears[0].fds[1], "x", 1), 1);
    assert_int_equal(write(ears[1].fds[1], "x", 1), 1);
    let_go(holder);
    wait_until(heard(0) + heard(1) > 0);
    on_reactor(r, stop_listening, NULL);
    assert_int_equal(heard(0) + heard(1), 1);
}

/* More than one turn takes of them. */
#define CROWD 600

static bl_watch_t crowd[CROWD];
static int served, served_before;

#define SLOW_MS 10

static int is_slow;
static bl_ms_t served_in; /* when the last one's turn began */
static int turns;         /* in which one was served slowly */

static void take_long(void)
{
    if (bl_reactor_rt_now(r) != served_in) turns++;
    served_in = bl_reactor_rt_now(r);
    usleep(SLOW_MS * 1000);
}

/* The first of them is where the reactor is held. */
static void serve(void *ctx, unsigned events)
{
    bl_watch_t *w = ctx;
    apr_uint64_t n;

    (void)events;
    if (read(w->fd, &n, sizeof(n)) != sizeof(n)) return;
    if (w == &crowd[0]) {
        wait_at_gate(NULL);
        return;
    }
    if (is_slow) take_long();
    __atomic_add_fetch(&served, 1, __ATOMIC_RELEASE);
}

static void watch_crowd(void *ctx)
{
    int i, fd;

    (void)ctx;
    memset(crowd, 0, sizeof(crowd));
    for (i = 0; i < CROWD; i++) {
        fd = eventfd(0, EFD_NONBLOCK);
        crowd[i].fd = -1;
        crowd[i].fn = serve;
        crowd[i].ctx = &crowd[i];
        if (fd >= 0) bl_watch_rt_set(r, &crowd[i], fd, EPOLLIN);
    }
}

static void leave_crowd(void *ctx)
{
    int i, fd;

    (void)ctx;
    for (i = 0; i < CROWD; i++) {
        fd = crowd[i].fd;
        bl_watch_rt_clear(&crowd[i]);
        close(fd);
    }
}

static void call(int i)
{
    static const apr_uint64_t one = 1;

    assert_int_equal(write(crowd[i].fd, &one, sizeof(one)), sizeof(one));
}

static void note_served(bl_letter_t *letter)
{
    served_before = served;
    count_one(letter);
}

/* Holds the reactor in the first one until n of the others are ready. */
static void call_crowd(int n)
{
    int i;

    sem_init(&gate, 0, 0);
    sem_init(&at_gate, 0, 0);
    on_reactor(r, watch_crowd, NULL);
    call(0);
    while (sem_wait(&at_gate))
        ;
    for (i = 1; i <= n; i++)
        call(i);
}

static void let_crowd_go(int n)
{
    sem_post(&gate);
    wait_until(__atomic_load_n(&served, __ATOMIC_ACQUIRE) == n);
    on_reactor(r, leave_crowd, NULL);
    sem_destroy(&gate);
    sem_destroy(&at_gate);
}

/* What an admin does, and what the live page is told, does not queue up behind
 * thousands of streams. */
static void test_reactor_letter_goes_before_a_crowd_of_sockets(void **state)
{
    bl_letter_t letter = {NULL, note_served};

    (void)state;
    counted = served = served_before = is_slow = 0;
    call_crowd(CROWD - 1);
    bl_reactor_post(r, &letter);
    let_crowd_go(CROWD - 1);
    wait_until(__atomic_load_n(&counted, __ATOMIC_ACQUIRE) == 1);
    assert_int_equal(served_before, 0);
}

/* I9: what a turn has no time for is the next one's, and none is forgotten. */
static void test_reactor_descriptors_that_take_long_have_several_turns(void **s)
{
    (void)s;
    served = turns = 0;
    is_slow = 1;
    call_crowd(20);
    let_crowd_go(20);
    assert_true(turns >= 5);
    assert_int_equal(served, 20);
}

/* --- deferred work ---------------------------------------------------------
 */

static bl_deferred_t deferred[2];
static int ran[2];

static void run_0(void *ctx)
{
    (void)ctx;
    ran[0]++;
    if (ran[0] == 1) bl_reactor_rt_defer(r, &deferred[0]);
}

static void run_1(void *ctx)
{
    (void)ctx;
    ran[1]++;
}

static void defer_often(void *ctx)
{
    int i;

    (void)ctx;
    memset(deferred, 0, sizeof(deferred));
    memset(ran, 0, sizeof(ran));
    deferred[0].fn = run_0;
    deferred[1].fn = run_1;
    for (i = 0; i < 10; i++) {
        bl_reactor_rt_defer(r, &deferred[0]);
        bl_reactor_rt_defer(r, &deferred[1]);
    }
    bl_reactor_rt_undefer(&deferred[1]);
    bl_reactor_rt_undefer(&deferred[1]);
}

static void read_ran(void *ctx)
{
    memcpy(ctx, ran, sizeof(ran));
}

/* Several events of one upstream read wake their readers once; what is deferred
 * from there still belongs to this turn. */
static void test_reactor_deferred_runs_once_at_the_end_of_the_turn(void **state)
{
    int seen[2];

    (void)state;
    on_reactor(r, defer_often, NULL);
    on_reactor(r, read_ran, seen);
    assert_int_equal(seen[0], 2); /* once, and once more as it asked itself */
    assert_int_equal(seen[1], 0);
}

static bl_deferred_t slow_deferred[20];

static void run_slowly(void *ctx)
{
    (void)ctx;
    take_long();
    __atomic_add_fetch(&served, 1, __ATOMIC_RELEASE);
}

static void defer_all(void *ctx)
{
    int i;

    (void)ctx;
    memset(slow_deferred, 0, sizeof(slow_deferred));
    for (i = 0; i < 20; i++) {
        slow_deferred[i].fn = run_slowly;
        bl_reactor_rt_defer(r, &slow_deferred[i]);
    }
}

/* I9: twenty long answers that end at once. */
static void test_reactor_deferred_that_take_long_have_several_turns(void **s)
{
    (void)s;
    served = turns = 0;
    on_reactor(r, defer_all, NULL);
    wait_until(__atomic_load_n(&served, __ATOMIC_ACQUIRE) == 20);
    assert_true(turns >= 4);
    on_reactor(r, note_where, &served_before); /* and nothing once more */
    assert_int_equal(served, 20);
}

#define with_reactor(test)                                                     \
    cmocka_unit_test_setup_teardown(test, open_reactor, close_reactor)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_reactor(test_reactor_runs_letters_on_its_own_thread),
        with_reactor(test_reactor_takes_no_signals),
        with_reactor(test_reactor_stuck_refuses_new_work_and_says_how_late),
        with_reactor(test_reactor_finds_a_left_letter_by_itself),
        with_reactor(test_reactor_stops_after_what_was_posted_before),
        with_reactor(test_reactor_timers_ring_in_order_and_never_early),
        with_reactor(test_reactor_timer_disarmed_does_not_ring),
        with_reactor(test_reactor_watch_is_told_when_its_descriptor_is_ready),
        with_reactor(test_reactor_watch_cleared_in_its_turn_is_not_told),
        with_reactor(test_reactor_letter_goes_before_a_crowd_of_sockets),
        with_reactor(
            test_reactor_descriptors_that_take_long_have_several_turns),
        with_reactor(test_reactor_deferred_runs_once_at_the_end_of_the_turn),
        with_reactor(test_reactor_deferred_that_take_long_have_several_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

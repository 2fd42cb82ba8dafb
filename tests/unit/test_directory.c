/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "crypto/token.h"
#include "shm/directory.h"
#include "shm/marks.h"
#include "shm/stats.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PLENTY 1000000

static bl_shm_t *shm;

static void *shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(p != MAP_FAILED);
    return p;
}

static int open_shm(void **state)
{
    (void)state;
    shm = shared(bl_shm_size());
    return bl_shm_format(shm) != APR_SUCCESS;
}

static int close_shm(void **state)
{
    (void)state;
    return munmap(shm, bl_shm_size());
}

static int join(apr_int64_t child_id)
{
    int child;

    assert_int_equal(bl_shm_join(shm, child_id, &child), APR_SUCCESS);
    return child;
}

static bl_slot_ask_t ask_of(int child, const char *owner)
{
    bl_slot_ask_t ask;

    memset(&ask, 0, sizeof(ask));
    ask.child = child;
    ask.owner = owner;
    ask.principal_hash = bl_hash(owner, "");
    ask.most_all = PLENTY;
    ask.most_of_principal = PLENTY;
    return ask;
}

static bl_slot_t *take(const bl_slot_ask_t *ask, char *id)
{
    bl_slot_t *slot;

    assert_int_equal(bl_slot_take(shm, ask, &slot, id), APR_SUCCESS);
    return slot;
}

/* --- one process -----------------------------------------------------------
 */

static void test_directory_finds_a_stream_by_its_id_while_it_lives(void **state)
{
    int child = join(77), found_child;
    bl_slot_ask_t ask = ask_of(child, "user:li");
    char id[BL_ID_TEXT + 1], other[BL_ID_TEXT + 1];
    apr_int64_t child_id;
    bl_slot_t *slot;

    (void)state;
    slot = take(&ask, id);
    assert_int_equal(strlen(id), BL_ID_TEXT);
    assert_ptr_equal(bl_slot_find(shm, id, &found_child, &child_id), slot);
    assert_int_equal(found_child, child);
    assert_int_equal(child_id, 77);
    assert_string_equal(slot->owner, "user:li");
    assert_int_equal(slot->first_content_ms, -1);
    bl_slot_release(shm, slot);
    assert_null(bl_slot_find(shm, id, &found_child, &child_id));
    assert_ptr_equal(take(&ask, other), slot); /* the same place ... */
    assert_string_not_equal(other, id);        /* ... another stream */
    assert_null(bl_slot_find(shm, id, &found_child, &child_id));
    assert_non_null(bl_slot_find(shm, other, &found_child, &child_id));
}

/* --- who copies a slot beside its owner ---------------------------------- */

#define BOTH 0x100000001ull /* in each half of a number the same */
#define CHANGES 20000

static void *change_slot(void *ctx)
{
    bl_slot_t *slot = ctx;
    apr_uint64_t i;

    for (i = 1; i <= CHANGES; i++) {
        bl_slot_set(slot, seq, i * BOTH);
        bl_slot_put_text(slot->key_last4, sizeof(slot->key_last4), "abcd");
        if (i % 1000) continue;
        bl_mark_add(slot, slot->started_ms, BL_MARK_PAUSED, 1, APR_SUCCESS, 0);
    }
    return NULL;
}

/* The thread sanitizer looks on. */
static void test_directory_copy_of_a_slot_has_whole_numbers(void **state)
{
    bl_slot_ask_t ask = ask_of(join(1), "user:li");
    char id[BL_ID_TEXT + 1];
    bl_slot_t *slot = take(&ask, id), copy;
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, change_slot, slot), 0);
    do {
        bl_slot_copy(&copy, slot);
        assert_int_equal(copy.seq % BOTH, 0);
        assert_string_equal(copy.owner, "user:li");
    } while (copy.seq < CHANGES * BOTH);
    pthread_join(thread, NULL);
    bl_slot_copy(&copy, slot);
    assert_memory_equal(&copy, slot, sizeof(copy));
    assert_int_equal(copy.mark_count, CHANGES / 1000);
}

static void test_directory_text_of_a_slot_is_cut_to_its_place(void **state)
{
    char at[5] = "zzzz";

    (void)state;
    bl_slot_put_text(at, sizeof(at), "abcdefg");
    assert_string_equal(at, "abcd");
    bl_slot_put_text(at, sizeof(at), "");
    assert_string_equal(at, "");
}

/* C14: an id from outside names its slot's number: any number can come. */
static void test_directory_strange_ids_find_nothing(void **state)
{
    static const char *const ids[] = {"",
                                      "0",
                                      "zz",
                                      "00000000000000000000000000000000",
                                      "000000000000000000000000ffffffff",
                                      "00000000000000000000000000800000",
                                      "0000000000000000000000000000000",
                                      "000000000000000000000000000000000",
                                      "00000000000000000000000000000/..",
                                      "gggggggggggggggggggggggggggggggg"};
    bl_slot_ask_t ask = ask_of(join(1), "user:li");
    char id[BL_ID_TEXT + 1];
    apr_int64_t child_id;
    int child;
    size_t i;

    (void)state;
    take(&ask, id);
    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_null(bl_slot_find(shm, ids[i], &child, &child_id));
    }
    id[0] = id[0] == '0' ? '1' : '0';
    assert_null(bl_slot_find(shm, id, &child, &child_id));
}

/* R04, S-56: exact, and free again at once. */
static void test_directory_ceiling_of_a_principal_is_exact(void **state)
{
    int child = join(1), i;
    bl_slot_ask_t li = ask_of(child, "user:li"), wu = ask_of(child, "user:wu");
    bl_slot_t *slots[20], *slot;
    char id[BL_ID_TEXT + 1];

    (void)state;
    li.most_of_principal = wu.most_of_principal = 20;
    for (i = 0; i < 20; i++)
        slots[i] = take(&li, id);
    assert_int_equal(bl_slot_take(shm, &li, &slot, id), BL_E_RATE_LIMITED);
    assert_null(slot);
    assert_int_equal(bl_slot_count(shm), 20);
    take(&wu, id);
    bl_slot_release(shm, slots[7]);
    take(&li, id);
    assert_int_equal(bl_slot_take(shm, &li, &slot, id), BL_E_RATE_LIMITED);
    assert_int_equal(bl_slot_count(shm), 21);
}

static void test_directory_ceiling_of_all_is_exact(void **state)
{
    int child = join(1), i;
    bl_slot_ask_t ask = ask_of(child, "user:li");
    char id[BL_ID_TEXT + 1];
    bl_slot_t *slot = NULL;

    (void)state;
    ask.most_all = 50;
    for (i = 0; i < 50; i++)
        slot = take(&ask, id);
    bl_slot_release(shm, slot);
    take(&ask, id);
    assert_int_equal(bl_slot_take(shm, &ask, &slot, id), BL_E_OVERLOADED);
    assert_int_equal(bl_slot_count(shm), 50);
}

/* S-55: every slot of the segment, and not one more. */
static void test_directory_all_slots_can_be_taken(void **state)
{
    bl_slot_ask_t ask = ask_of(join(1), "user:li");
    char id[BL_ID_TEXT + 1];
    bl_slot_t *slot;
    int i;

    (void)state;
    ask.most_of_principal = 2 * BL_DIRECTORY_SLOTS;
    for (i = 0; i < BL_DIRECTORY_SLOTS; i++) {
        char owner[32];

        if (i % 64) continue; /* the rest by hand: counting is slow */
        snprintf(owner, sizeof(owner), "user:%d", i);
        ask.principal_hash = bl_hash(owner, "");
        take(&ask, id);
    }
    for (i = 0; i < BL_DIRECTORY_SLOTS; i++)
        shm->words[i] = BL_SLOT_WORD(BL_SLOT_TAKEN, 0u);
    assert_int_equal(bl_slot_take(shm, &ask, &slot, id), BL_E_OVERLOADED);
    bl_slot_release(shm, &shm->slots[BL_DIRECTORY_SLOTS - 1]);
    assert_ptr_equal(take(&ask, id), &shm->slots[BL_DIRECTORY_SLOTS - 1]);
}

/* C18: the second of one key is told the id of the first. */
static void
test_directory_same_key_again_names_the_stream_that_has_it(void **state)
{
    int child = join(1);
    bl_slot_ask_t ask = ask_of(child, "user:li"), wu = ask_of(child, "user:wu");
    char id[BL_ID_TEXT + 1], again[BL_ID_TEXT + 1];
    bl_slot_t *slot, *second;

    (void)state;
    ask.request_hash = bl_hash("user:li", "key-1");
    wu.request_hash = ask.request_hash; /* another principal: another key */
    slot = take(&ask, id);
    assert_int_equal(bl_slot_take(shm, &ask, &second, again), APR_EEXIST);
    assert_null(second);
    assert_string_equal(again, id);
    assert_int_equal(bl_slot_count(shm), 1);
    take(&wu, again);
    ask.request_hash = bl_hash("user:li", "key-2");
    take(&ask, again);
    /* A start that failed gives the key back. */
    bl_slot_release(shm, slot);
    ask.request_hash = bl_hash("user:li", "key-1");
    take(&ask, again);
    assert_string_not_equal(again, id);
}

/* C18: between its end and its row in the store a stream is known by its key.
 */
static void test_directory_key_of_an_ended_stream_still_names_it(void **state)
{
    int child = join(1);
    bl_slot_ask_t ask = ask_of(child, "user:li"), wu = ask_of(child, "user:wu");
    char id[BL_ID_TEXT + 1], again[BL_ID_TEXT + 1];
    bl_slot_t *second;

    (void)state;
    ask.request_hash = wu.request_hash = bl_hash("user:li", "key-1");
    bl_slot_end(shm, take(&ask, id));
    assert_int_equal(bl_slot_count(shm), 0);
    assert_int_equal(bl_slot_take(shm, &ask, &second, again), APR_EEXIST);
    assert_string_equal(again, id);
    assert_int_equal(bl_slot_count(shm), 0);
    take(&wu, again);
    assert_string_not_equal(again, id);
}

/* R07: what is not a segment of this build is never trusted. */
static void test_directory_segment_of_another_build_is_not_sound(void **state)
{
    (void)state;
    assert_true(bl_shm_is_sound(shm));
    shm->size++;
    assert_false(bl_shm_is_sound(shm));
    shm->size--;
    shm->magic ^= 1;
    assert_false(bl_shm_is_sound(shm));
    memset(shm, 0xa5, 4096);
    assert_false(bl_shm_is_sound(shm));
}

static void test_directory_has_256_children_and_no_more(void **state)
{
    int i, child;

    (void)state;
    for (i = 0; i < BL_SHM_CHILDREN; i++)
        assert_int_equal(join(i), i);
    assert_int_equal(bl_shm_join(shm, 999, &child), BL_E_OVERLOADED);
    assert_int_equal(child, -1);
    bl_shm_leave(shm, 17);
    assert_int_equal(join(999), 17);
}

static void test_directory_leaving_frees_what_the_child_held(void **state)
{
    int child = join(1), other = join(2);
    bl_slot_ask_t mine = ask_of(child, "user:li"),
                  his = ask_of(other, "user:x");
    char id[BL_ID_TEXT + 1];
    int i;

    (void)state;
    for (i = 0; i < 5; i++)
        take(&mine, id);
    take(&his, id);
    bl_count(shm, child, EVENTS, 7);
    bl_shm_leave(shm, child);
    assert_int_equal(bl_slot_count(shm), 1);
    assert_int_equal(bl_stats_total(shm, BL_COUNT_EVENTS), 7);
    assert_non_null(bl_slot_find(shm, id, &i, &(apr_int64_t){0}));
}

/* R04: a slot that another child is just claiming still names the one that had
 * it before; it is not that one's to free. */
static void test_directory_leaving_spares_what_another_is_claiming(void **state)
{
    int child = join(1), other = join(2);
    bl_slot_ask_t ask = ask_of(child, "user:li");
    char id[BL_ID_TEXT + 1];
    bl_slot_t *slot = take(&ask, id);

    (void)state;
    bl_slot_release(shm, slot);
    assert_int_equal(slot->child, child);
    shm->words[slot - shm->slots] =
        BL_SLOT_WORD(BL_SLOT_ASKING, (apr_uint32_t)other);
    bl_shm_leave(shm, child);
    assert_int_equal(shm->words[slot - shm->slots],
                     BL_SLOT_WORD(BL_SLOT_ASKING, (apr_uint32_t)other));
}

/* R04: killed between a claim and its count, or the other way round. */
static void test_directory_count_cut_half_way_is_forgotten(void **state)
{
    int child = join(1);

    (void)state;
    shm->children[child].live += 3;
    bl_shm_leave(shm, child);
    assert_int_equal(bl_slot_count(shm), 0);
    child = join(2);
    shm->children[child].live -= 2;
    bl_shm_leave(shm, child);
    assert_int_equal(bl_slot_count(shm), 0);
}

static void test_directory_hash_keeps_its_two_parts_apart(void **state)
{
    (void)state;
    assert_true(bl_hash("ab", "c") != bl_hash("a", "bc"));
    assert_true(bl_hash("", "abc") != bl_hash("abc", ""));
    assert_true(bl_hash("a", "b") == bl_hash("a", "b"));
    assert_true(bl_hash("", "") != 0);
}

static void test_directory_phases_have_names(void **state)
{
    (void)state;
    assert_string_equal(bl_phase_name(BL_PHASE_CONNECTING), "connecting");
    assert_string_equal(bl_phase_name(BL_PHASE_ENDING), "ending");
    assert_string_equal(bl_phase_name((bl_phase_t)99), "unknown");
}

/* --- many threads ----------------------------------------------------------
 */

#define THREADS 4
#define CEILING 1

static int held, is_exceeded;

/* A thread that holds counts itself after it took and before it releases, so
 * that held is never above what is taken. */
static void *take_and_release(void *ctx)
{
    const bl_slot_ask_t *ask = ctx;
    char id[BL_ID_TEXT + 1];
    bl_slot_t *slot;
    int i;

    for (i = 0; i < 20000; i++) {
        if (bl_slot_take(shm, ask, &slot, id) != APR_SUCCESS) continue;
        if (__atomic_add_fetch(&held, 1, __ATOMIC_SEQ_CST) > CEILING) {
            __atomic_store_n(&is_exceeded, 1, __ATOMIC_SEQ_CST);
        }
        sched_yield();
        __atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST);
        bl_slot_release(shm, slot);
    }
    return NULL;
}

static void race_for_slots(bl_slot_ask_t *ask)
{
    pthread_t threads[THREADS];
    int i;

    held = is_exceeded = 0;
    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, take_and_release, ask);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_false(is_exceeded);
    assert_int_equal(bl_slot_count(shm), 0);
}

/* R04: two at once can both be refused, never both be let in. */
static void test_directory_ceiling_of_all_holds_in_a_race(void **state)
{
    bl_slot_ask_t ask = ask_of(join(1), "user:li");

    (void)state;
    ask.most_all = CEILING;
    race_for_slots(&ask);
}

static void test_directory_ceiling_of_a_principal_holds_in_a_race(void **state)
{
    bl_slot_ask_t ask = ask_of(join(1), "user:li");

    (void)state;
    ask.most_of_principal = CEILING;
    race_for_slots(&ask);
}

static void test_directory_ceiling_of_a_child_holds_in_a_race(void **state)
{
    bl_slot_ask_t ask = ask_of(join(1), "user:li");

    (void)state;
    ask.most_of_child = CEILING;
    race_for_slots(&ask);
}

/* --- many processes --------------------------------------------------------
 */

#define ROUNDS 3000
#define ASKERS 4

/* What those who ask at once share. */
typedef struct meeting_t {
    int arrived[2 * ROUNDS + 2];
    apr_status_t answers[ASKERS];
    char ids[ASKERS][BL_ID_TEXT + 1];
    int runs[ROUNDS];    /* streams that were begun in a round */
    int foreign[ROUNDS]; /* answers that name no stream of the round */
} meeting_t;

static meeting_t *meeting;

static void meet(int at)
{
    __atomic_add_fetch(&meeting->arrived[at], 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&meeting->arrived[at], __ATOMIC_SEQ_CST) < ASKERS)
        sched_yield();
}

static void judge_round(int round)
{
    int i, winner = -1;

    for (i = 0; i < ASKERS; i++) {
        if (meeting->answers[i] != APR_SUCCESS) continue;
        meeting->runs[round]++;
        winner = i;
    }
    for (i = 0; i < ASKERS; i++) {
        if (meeting->answers[i] == APR_SUCCESS) continue;
        if (meeting->answers[i] != APR_EEXIST || winner < 0 ||
            strcmp(meeting->ids[i], meeting->ids[winner]))
        {
            meeting->foreign[round]++;
        }
    }
}

static void ask_at_once(int me, int child)
{
    bl_slot_ask_t ask = ask_of(child, "user:li");
    char key[16];
    bl_slot_t *slot;
    int round;

    for (round = 0; round < ROUNDS; round++) {
        snprintf(key, sizeof(key), "%d", round);
        ask.request_hash = bl_hash("user:li", key);
        if (me == 0 && round) judge_round(round - 1);
        meet(2 * round);
        meeting->answers[me] = bl_slot_take(shm, &ask, &slot, meeting->ids[me]);
        meet(2 * round + 1);
        if (slot) bl_slot_release(shm, slot);
    }
    if (me == 0) judge_round(ROUNDS - 1);
}

static void expect_one_run_a_round(void)
{
    int i, doubled = 0, foreign = 0, none = 0;

    for (i = 0; i < ROUNDS; i++) {
        doubled += meeting->runs[i] > 1;
        none += meeting->runs[i] < 1;
        foreign += meeting->foreign[i];
    }
    assert_int_equal(doubled, 0);
    assert_int_equal(none, 0);
    assert_int_equal(foreign, 0);
}

static int expect_clean_exit(pid_t pid)
{
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

typedef struct asker_t {
    int me, child;
} asker_t;

static void *ask_thread(void *ctx)
{
    asker_t *a = ctx;

    ask_at_once(a->me, a->child);
    return NULL;
}

/* C18: one key at once from many threads of a child: one run. */
static void test_directory_one_key_at_once_in_a_child_runs_once(void **state)
{
    pthread_t threads[ASKERS];
    asker_t askers[ASKERS];
    int i, child = join(1);

    (void)state;
    meeting = shared(sizeof(*meeting));
    for (i = 0; i < ASKERS; i++) {
        askers[i].me = i;
        askers[i].child = child;
        pthread_create(&threads[i], NULL, ask_thread, &askers[i]);
    }
    for (i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    expect_one_run_a_round();
    munmap(meeting, sizeof(*meeting));
}

/* C18: ... and from many children. */
static void test_directory_one_key_at_once_in_children_runs_once(void **state)
{
    pid_t pids[ASKERS];
    int i;

    (void)state;
    meeting = shared(sizeof(*meeting));
    for (i = 0; i < ASKERS; i++) {
        pids[i] = fork();
        if (!pids[i]) {
            int child;

            if (bl_shm_join(shm, i, &child) != APR_SUCCESS) _exit(1);
            ask_at_once(i, child);
            bl_shm_leave(shm, child);
            _exit(0);
        }
    }
    for (i = 0; i < ASKERS; i++)
        assert_true(expect_clean_exit(pids[i]));
    expect_one_run_a_round();
    assert_int_equal(bl_slot_count(shm), 0);
    munmap(meeting, sizeof(*meeting));
}

/* P14: what is made before the fork is not used after it: ids differ. */
static void test_directory_ids_of_forked_children_differ(void **state)
{
    enum { FORKS = 200 };
    char(*ids)[BL_ID_TEXT + 1] = shared(FORKS * (BL_ID_TEXT + 1));
    unsigned char warm[16];
    int i, k;

    (void)state;
    bl_random_bytes(warm, sizeof(warm)); /* the state that must not be shared */
    for (i = 0; i < FORKS; i++) {
        pid_t pid = fork();

        if (!pid) {
            bl_slot_ask_t ask;
            bl_slot_t *slot;
            int child;

            if (bl_shm_join(shm, i, &child) != APR_SUCCESS) _exit(1);
            ask = ask_of(child, "user:li");
            if (bl_slot_take(shm, &ask, &slot, ids[i]) != APR_SUCCESS) _exit(1);
            bl_shm_leave(shm, child);
            _exit(0);
        }
        assert_true(expect_clean_exit(pid));
    }
    for (i = 0; i < FORKS; i++) {
        /* The ten random bytes. */
        for (k = 0; k < i; k++)
            assert_true(memcmp(ids[i] + 4, ids[k] + 4, 20) != 0);
    }
    munmap(ids, FORKS * (BL_ID_TEXT + 1));
}

static void
test_directory_killed_child_is_reclaimed_a_living_one_not(void **state)
{
    int mine = join(1), *ready = shared(sizeof(int));
    bl_slot_ask_t ask = ask_of(mine, "user:li");
    char id[BL_ID_TEXT + 1];
    apr_int64_t child_id;
    bl_slot_t *slot;
    pid_t pid;
    int child;

    (void)state;
    slot = take(&ask, id);
    pid = fork();
    if (!pid) {
        bl_slot_ask_t his;
        bl_slot_t *s;
        char unused[BL_ID_TEXT + 1];
        int i;

        if (bl_shm_join(shm, 2, &child) != APR_SUCCESS) _exit(1);
        his = ask_of(child, "user:wu");
        for (i = 0; i < 3; i++)
            bl_slot_take(shm, &his, &s, unused);
        bl_count(shm, child, EVENTS, 11);
        shm->held[child].kept = 4000;
        shm->held[child].passing = 711;
        __atomic_store_n(ready, 1, __ATOMIC_RELEASE);
        pause();
    }
    wait_until(__atomic_load_n(ready, __ATOMIC_ACQUIRE));
    assert_int_equal(bl_shm_reclaim(shm), 0);
    assert_int_equal(bl_slot_count(shm), 4);
    assert_int_equal(bl_stats_held(shm), 4711);
    kill(pid, SIGKILL);
    waitpid(pid, &child, 0);
    assert_int_equal(bl_shm_reclaim(shm), 3);
    assert_int_equal(bl_slot_count(shm), 1);
    assert_int_equal(bl_stats_total(shm, BL_COUNT_EVENTS), 11);
    assert_int_equal(bl_stats_held(shm), 0); /* R03: it holds nothing */
    assert_ptr_equal(bl_slot_find(shm, id, &child, &child_id), slot);
    assert_int_equal(bl_shm_reclaim(shm), 0);
    munmap(ready, sizeof(int));
}

/* Who cleans up after a dead child can be killed as well. */
static void test_directory_dead_cleaner_is_followed_by_another(void **state)
{
    int child = join(1), status;
    bl_slot_ask_t ask = ask_of(child, "user:li");
    char id[BL_ID_TEXT + 1];
    pid_t pid;

    (void)state;
    take(&ask, id);
    shm->children[child].pid = (apr_uint32_t)getpid() | BL_CHILD_CLEANER;
    assert_int_equal(bl_shm_reclaim(shm), 0); /* somebody is at it */
    pid = fork();
    if (!pid) _exit(0);
    waitpid(pid, &status, 0);
    shm->children[child].pid = (apr_uint32_t)pid | BL_CHILD_CLEANER;
    assert_int_equal(bl_shm_reclaim(shm), 1);
    assert_int_equal(shm->children[child].who, 0);
    assert_int_equal(bl_slot_count(shm), 0);
}

/* A child died, and its pid was given to a process that is not ours. */
static void
test_directory_reused_pid_does_not_keep_a_dead_childs_slots(void **state)
{
    int child = join(1);
    bl_slot_ask_t ask = ask_of(child, "user:li");
    char id[BL_ID_TEXT + 1];
    pid_t pid;

    (void)state;
    take(&ask, id);
    pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    shm->children[child].pid = (apr_uint32_t)pid;
    assert_int_not_equal(shm->children[child].born, 0);
    shm->children[child].born += 1;
    assert_int_equal(bl_shm_reclaim(shm), 1);
    assert_int_equal(shm->children[child].who, 0);
    kill(pid, SIGKILL);
    waitpid(pid, &child, 0);
}

/* Where /proc cannot be read a pid is all there is. */
static void test_directory_child_of_unknown_age_is_judged_by_its_pid(void **s)
{
    int child = join(1);

    (void)s;
    shm->children[child].born = 0;
    assert_int_equal(bl_shm_reclaim(shm), 0);
    assert_int_equal(shm->children[child].pid, getpid());
}

#define HANDS 16

/* Takes and releases at random until it has done `steps`, or is killed; 1 when
 * a slot of its own was changed by somebody else. */
static int live_at_random(unsigned seed, int steps)
{
    bl_slot_t *hand[HANDS] = {NULL};
    char id[BL_ID_TEXT + 1], owner[16];
    int child, i, k;

    if (bl_shm_join(shm, seed, &child) != APR_SUCCESS) return 1;
    for (i = 0; i < steps; i++) {
        bl_slot_ask_t ask;

        seed = seed * 1103515245u + 12345u;
        k = (int)(seed >> 16) % HANDS;
        if (hand[k]) {
            if (hand[k]->bytes != (apr_uint64_t)getpid()) return 1;
            bl_slot_release(shm, hand[k]);
            hand[k] = NULL;
            continue;
        }
        snprintf(owner, sizeof(owner), "user:%u", seed >> 24 & 3);
        ask = ask_of(child, owner);
        ask.most_of_principal = 5;
        if (bl_slot_take(shm, &ask, &hand[k], id) == APR_SUCCESS) {
            hand[k]->bytes = (apr_uint64_t)getpid();
        }
        if (i % 50 == 0) bl_shm_reclaim(shm);
    }
    for (k = 0; k < HANDS; k++) {
        if (hand[k]) bl_slot_release(shm, hand[k]);
    }
    bl_shm_leave(shm, child);
    return 0;
}

/* R04: 10^5 starts and ends at random in three children, one of which is killed
 * again and again; nothing is counted wrong afterwards. */
static void test_directory_counts_never_drift(void **state)
{
    pid_t steady[2], victim;
    int i, status;
    char id[BL_ID_TEXT + 1], owner[16];

    (void)state;
    for (i = 0; i < 2; i++) {
        steady[i] = fork();
        if (!steady[i]) _exit(live_at_random(100u + (unsigned)i, 50000));
    }
    for (i = 0; i < 60; i++) {
        victim = fork();
        if (!victim) {
            live_at_random(200u + (unsigned)i, PLENTY);
            _exit(0);
        }
        usleep(1000 + (useconds_t)i * 100); /* any moment will do */
        kill(victim, SIGKILL);
        waitpid(victim, &status, 0);
    }
    for (i = 0; i < 2; i++)
        assert_true(expect_clean_exit(steady[i]));
    bl_shm_reclaim(shm);
    assert_int_equal(bl_slot_count(shm), 0);
    for (i = 0; i < BL_SHM_CHILDREN; i++)
        assert_int_equal(shm->children[i].who, 0);
    for (i = 0; i < BL_DIRECTORY_SLOTS; i++)
        assert_int_equal(shm->words[i], 0);
    for (i = 0; i < 4; i++) { /* each principal has its whole ceiling again */
        bl_slot_ask_t ask;
        bl_slot_t *slot;
        int k;

        snprintf(owner, sizeof(owner), "user:%d", i);
        ask = ask_of(i ? 0 : join(1), owner);
        ask.most_of_principal = 5;
        for (k = 0; k < 5; k++)
            take(&ask, id);
        assert_int_equal(bl_slot_take(shm, &ask, &slot, id), BL_E_RATE_LIMITED);
    }
}

/* --- memory given back --------------------------------------------------- */

/* 4096 / 688, and the rest; the first ones do so with something else */
#define SHARE_A_PAGE 6

static int is_empty(apr_uint32_t from, apr_uint32_t to)
{
    static const bl_slot_t none;

    for (; from < to; from++) {
        if (memcmp(&shm->slots[from], &none, sizeof(none)) != 0) return 0;
    }
    return 1;
}

static apr_uint32_t place_of(const bl_slot_t *slot)
{
    return (apr_uint32_t)(slot - shm->slots);
}

static void test_directory_pages_of_ended_streams_are_given_back(void **state)
{
    int child = join(1);
    bl_slot_ask_t ask = ask_of(child, "user:li");
    char id[BL_ID_TEXT + 1];
    apr_uint32_t first, i;

    (void)state;
    first = place_of(take(&ask, id)); /* and then one after the other */
    for (i = 1; i < 1000; i++)
        take(&ask, id);
    for (i = 0; i < 1000; i++)
        bl_slot_end(shm, &shm->slots[first + i]);
    assert_false(is_empty(first + 999, first + 1000)); /* it stays as it was */
    assert_int_equal(shm->top, first + 1000);
    bl_slots_give_back(shm, child);
    assert_true(is_empty(SHARE_A_PAGE, BL_DIRECTORY_SLOTS));
    assert_int_equal(shm->top, 0); /* nor is it searched any more */
    assert_ptr_equal(take(&ask, id), &shm->slots[first]);
    assert_int_equal(shm->top, first + 1);
}

static void
test_directory_what_lies_before_the_slots_is_not_given_back(void **s)
{
    int child = join(1);
    bl_slot_ask_t ask = ask_of(child, "user:li");
    char id[BL_ID_TEXT + 1];

    (void)s;
    shm->quotas[BL_QUOTAS - 1].hash = 5;
    bl_slot_release(shm, take(&ask, id));
    bl_slots_give_back(shm, child);
    assert_int_equal(shm->quotas[BL_QUOTAS - 1].hash, 5);
}

static void test_directory_streams_that_run_keep_their_pages(void **state)
{
    static const apr_uint32_t runs[] = {300, 511, 900};
    static char ids[1200][BL_ID_TEXT + 1];
    int child = join(1), found_child, k;
    bl_slot_ask_t ask = ask_of(child, "user:li");
    apr_uint32_t first, i, chunk, from, to;
    apr_int64_t child_id;

    (void)state;
    first = place_of(take(&ask, ids[0]));
    for (i = 1; i < 1200; i++)
        take(&ask, ids[i]);
    for (i = 0; i < 1200; i++) {
        if (i == 300 || i == 511 || i == 900) continue;
        bl_slot_end(shm, &shm->slots[first + i]);
    }
    bl_slots_give_back(shm, child);
    for (k = 0; k < 3; k++) {
        const bl_slot_t *slot =
            bl_slot_find(shm, ids[runs[k]], &found_child, &child_id);

        assert_ptr_equal(slot, &shm->slots[first + runs[k]]);
        assert_string_equal(slot->owner, "user:li");
    }
    for (chunk = 0; chunk < BL_SLOT_CHUNKS; chunk++) {
        from = chunk * BL_CHUNK_SLOTS;
        to = from + BL_CHUNK_SLOTS;
        for (k = 0; k < 3; k++) {
            i = first + runs[k];
            if (i + SHARE_A_PAGE >= from && i < to + SHARE_A_PAGE) break;
        }
        if (k == 3) assert_true(is_empty(from ? from : SHARE_A_PAGE, to));
    }
    assert_true(shm->top > first + 900);
    assert_int_equal(bl_slot_count(shm), 3);
}

/* Often all slots are free for a moment, and then their page is taken away just
 * when the next one wants it. 1: a slot was changed under who had it. */
static int live_and_give_back(unsigned seed, int steps)
{
    char id[BL_ID_TEXT + 1], text[BL_ID_TEXT + 1];
    int child, i;

    if (bl_shm_join(shm, seed, &child) != APR_SUCCESS) return 1;
    for (i = 0; i < steps; i++) {
        bl_slot_ask_t ask = ask_of(child, "user:li");
        bl_slot_t *slot;

        bl_slots_give_back(shm, child);
        if (bl_slot_take(shm, &ask, &slot, id) != APR_SUCCESS) return 1;
        slot->bytes = seed;
        sched_yield();
        bl_hex(text, slot->id, BL_ID_BYTES);
        if (strcmp(text, id) || strcmp(slot->owner, "user:li") ||
            slot->bytes != seed || shm->top <= place_of(slot))
        {
            return 1;
        }
        bl_slot_release(shm, slot);
        if (i % 50 == 0) bl_shm_reclaim(shm);
    }
    bl_shm_leave(shm, child);
    return 0;
}

static void test_directory_pages_are_never_taken_from_who_runs(void **state)
{
    pid_t steady[3], victim;
    int i, status;

    (void)state;
    for (i = 0; i < 3; i++) {
        steady[i] = fork();
        if (!steady[i]) _exit(live_and_give_back(1u + (unsigned)i, 5000));
    }
    for (i = 0; i < 30; i++) {
        victim = fork();
        if (!victim) _exit(live_and_give_back(9, PLENTY));
        usleep(1000 + (useconds_t)i * 100); /* any moment will do */
        kill(victim, SIGKILL);
        waitpid(victim, &status, 0);
    }
    for (i = 0; i < 3; i++)
        assert_true(expect_clean_exit(steady[i]));
    bl_shm_reclaim(shm);
    assert_int_equal(bl_slot_count(shm), 0);
    bl_slots_give_back(shm, join(1));
    assert_int_equal(shm->top, 0);
    for (i = 0; i < BL_DIRECTORY_SLOTS; i++)
        assert_int_equal(shm->words[i], 0);
    assert_true(is_empty(SHARE_A_PAGE, BL_DIRECTORY_SLOTS));
}

#define with_shm(test)                                                         \
    cmocka_unit_test_setup_teardown(test, open_shm, close_shm)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_shm(test_directory_finds_a_stream_by_its_id_while_it_lives),
        with_shm(test_directory_copy_of_a_slot_has_whole_numbers),
        with_shm(test_directory_text_of_a_slot_is_cut_to_its_place),
        with_shm(test_directory_strange_ids_find_nothing),
        with_shm(test_directory_ceiling_of_a_principal_is_exact),
        with_shm(test_directory_ceiling_of_all_is_exact),
        with_shm(test_directory_all_slots_can_be_taken),
        with_shm(test_directory_same_key_again_names_the_stream_that_has_it),
        with_shm(test_directory_key_of_an_ended_stream_still_names_it),
        with_shm(test_directory_segment_of_another_build_is_not_sound),
        with_shm(test_directory_has_256_children_and_no_more),
        with_shm(test_directory_leaving_frees_what_the_child_held),
        with_shm(test_directory_leaving_spares_what_another_is_claiming),
        with_shm(test_directory_count_cut_half_way_is_forgotten),
        with_shm(test_directory_hash_keeps_its_two_parts_apart),
        with_shm(test_directory_phases_have_names),
        with_shm(test_directory_one_key_at_once_in_children_runs_once),
        with_shm(test_directory_ids_of_forked_children_differ),
        with_shm(test_directory_killed_child_is_reclaimed_a_living_one_not),
        with_shm(test_directory_dead_cleaner_is_followed_by_another),
        with_shm(test_directory_reused_pid_does_not_keep_a_dead_childs_slots),
        with_shm(test_directory_child_of_unknown_age_is_judged_by_its_pid),
        with_shm(test_directory_counts_never_drift),
        with_shm(test_directory_pages_of_ended_streams_are_given_back),
        with_shm(test_directory_what_lies_before_the_slots_is_not_given_back),
        with_shm(test_directory_streams_that_run_keep_their_pages),
        with_shm(test_directory_pages_are_never_taken_from_who_runs),
        with_shm(test_directory_ceiling_of_all_holds_in_a_race),
        with_shm(test_directory_ceiling_of_a_principal_holds_in_a_race),
        with_shm(test_directory_ceiling_of_a_child_holds_in_a_race),
        with_shm(test_directory_one_key_at_once_in_a_child_runs_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

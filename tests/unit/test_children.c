/* SPDX-License-Identifier: Apache-2.0 */
/* What children that come, go and are killed leave in the shared segment (R04,
 * P01), and what they have from before the fork (P14). BL_SOAK=1: a million
 * streams, 10,000 children. */
#include "engine_env.h"

#include "crypto/aead.h"
#include "crypto/keyring.h"
#include "crypto/token.h"
#include "shm/sockets.h"
#include "shm/stats.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define CHILDREN 3
#define THREADS 2 /* of a child */
#define PEOPLE 6
#define MOST_ALL 40
#define MOST_OF_CHILD 18
#define MOST_OF_ONE 9
#define MOST_SOCKETS 12
#define HOLD 32 /* a thread has at most so many, of each kind */

static int times(int quick, int soak)
{
    const char *is_soak = getenv("BL_SOAK");

    return is_soak && *is_soak ? soak : quick;
}

static void *shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(p != MAP_FAILED);
    return p;
}

/* --- R04: a storm of starts and ends, in children that are killed -----------
 * What a thread holds it writes down where everybody sees it. While all rest
 * the segment must say the same. */

typedef struct worker_t {
    int rests; /* the pause that it has come to */
    int slot_count, socket_count;
    apr_uint64_t begun, ended; /* streams, of those before it, too */
    int slots[HOLD], people[HOLD], sockets[HOLD];
} worker_t;

typedef struct storm_t {
    int pause; /* 1, 2, ...: rest, until `go` is that number, too */
    int go, is_over;
    int strange; /* an answer that cannot be */
    int child[CHILDREN];
    worker_t workers[CHILDREN][THREADS];
} storm_t;

static bl_shm_t *shm;
static storm_t *storm;

#define look(word) __atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define put(word, value) __atomic_store_n(&(word), (value), __ATOMIC_SEQ_CST)

typedef struct thread_t {
    int child, index; /* in the segment, in the storm */
    unsigned seed;
    worker_t *worker;
} thread_t;

static int chance(thread_t *t, int below)
{
    return (int)(rand_r(&t->seed) / 7 % (unsigned)below);
}

static apr_uint64_t person(int number)
{
    char name[16];

    snprintf(name, sizeof(name), "user:%d", number);
    return bl_hash(name, "");
}

static void begin_stream(thread_t *t)
{
    worker_t *w = t->worker;
    int who = chance(t, PEOPLE), is_keyed = !chance(t, 4);
    char id[BL_ID_TEXT + 1], key[16];
    bl_slot_ask_t ask;
    bl_slot_t *slot;
    apr_status_t rv;

    if (w->slot_count == HOLD) return;
    memset(&ask, 0, sizeof(ask));
    snprintf(key, sizeof(key), "%d", chance(t, 1000000));
    ask.child = t->child;
    ask.owner = "user:somebody";
    ask.principal_hash = person(who);
    ask.request_hash = is_keyed ? bl_hash("key", key) : 0;
    ask.most_all = MOST_ALL;
    ask.most_of_child = MOST_OF_CHILD;
    ask.most_of_principal = MOST_OF_ONE;
    rv = bl_slot_take(shm, &ask, &slot, id);
    if (rv == BL_E_OVERLOADED || rv == BL_E_RATE_LIMITED || rv == APR_EEXIST) {
        return;
    }
    if (rv != APR_SUCCESS) put(storm->strange, rv);
    if (rv != APR_SUCCESS) return;
    w->slots[w->slot_count] = (int)(slot - shm->slots);
    w->people[w->slot_count] = who;
    put(w->slot_count, w->slot_count + 1);
    put(w->begun, w->begun + 1);
    bl_count(shm, t->child, STREAMS_STARTED, 1);
}

/* As bl_live_rt_end() does, or a start that failed. */
static void end_stream(thread_t *t)
{
    static const bl_counter_t of[] = {
        BL_COUNT_STREAMS_COMPLETED, BL_COUNT_STREAMS_LENGTH,
        BL_COUNT_STREAMS_CANCELLED, BL_COUNT_STREAMS_TIMEOUT,
        BL_COUNT_STREAMS_ERROR,     BL_COUNT_STREAMS_INTERRUPTED};
    worker_t *w = t->worker;
    int at, slot;

    if (!w->slot_count) return;
    at = chance(t, w->slot_count);
    slot = w->slots[at];
    w->slots[at] = w->slots[w->slot_count - 1];
    w->people[at] = w->people[w->slot_count - 1];
    put(w->slot_count, w->slot_count - 1);
    put(w->ended, w->ended + 1);
    __atomic_add_fetch(&shm->children[t->child].counters[of[chance(t, 6)]], 1,
                       __ATOMIC_RELAXED);
    if (chance(t, 2))
        bl_slot_end(shm, &shm->slots[slot]);
    else
        bl_slot_release(shm, &shm->slots[slot]);
}

static void open_socket(thread_t *t)
{
    worker_t *w = t->worker;
    bl_sockets_ask_t ask;
    int place;

    ask.child = t->child;
    ask.principal_hash = person(chance(t, PEOPLE));
    ask.most_all = MOST_SOCKETS;
    ask.most_of_principal = MOST_SOCKETS / 3;
    if (w->socket_count == HOLD) return;
    if (bl_sockets_join(shm, &ask, &place) != APR_SUCCESS) return;
    w->sockets[w->socket_count] = place;
    put(w->socket_count, w->socket_count + 1);
}

static void close_socket(thread_t *t)
{
    worker_t *w = t->worker;

    if (!w->socket_count) return;
    put(w->socket_count, w->socket_count - 1);
    bl_sockets_leave(shm, w->sockets[w->socket_count]);
}

/* What the tick of a child does once a second comes here every few steps. */
static void one_step(thread_t *t)
{
    int what = chance(t, 100);

    if (what < 45)
        begin_stream(t);
    else if (what < 88)
        end_stream(t);
    else if (what < 93)
        open_socket(t);
    else if (what < 98)
        close_socket(t);
    else if (what < 99)
        bl_shm_reclaim(shm);
    else
        bl_slots_give_back(shm, t->child);
}

static void rest(worker_t *w)
{
    int pause = look(storm->pause);

    if (pause == look(storm->go)) return;
    put(w->rests, pause);
    while (look(storm->go) < pause)
        usleep(200);
}

static void *work(void *ctx)
{
    thread_t *t = ctx;

    while (!look(storm->is_over)) {
        rest(t->worker);
        one_step(t);
    }
    return NULL;
}

static void live(int index, unsigned seed)
{
    thread_t threads[THREADS];
    pthread_t ids[THREADS];
    int i, child;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* of a test that failed */
    if (bl_shm_join(shm, index + 1, &child) != APR_SUCCESS) _exit(1);
    put(storm->child[index], child);
    for (i = 0; i < THREADS; i++) {
        threads[i].child = child;
        threads[i].index = index;
        threads[i].seed = seed * THREADS + (unsigned)i;
        threads[i].worker = &storm->workers[index][i];
        if (pthread_create(&ids[i], NULL, work, &threads[i])) _exit(2);
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(ids[i], NULL);
    bl_shm_leave(shm, child);
    _exit(0);
}

static pid_t begin_child(int index, unsigned seed)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) live(index, seed);
    return pid;
}

static void forget_what_it_held(int index)
{
    int i;

    for (i = 0; i < THREADS; i++) {
        storm->workers[index][i].slot_count = 0;
        storm->workers[index][i].socket_count = 0;
        storm->workers[index][i].rests = 0;
    }
}

/* P01. Who looks next frees what it had: another child, as often as not. */
static void kill_child(pid_t *pid, int index, unsigned seed)
{
    int status;

    assert_int_equal(kill(*pid, SIGKILL), 0);
    assert_int_equal(waitpid(*pid, &status, 0), *pid);
    assert_true(WIFSIGNALED(status));
    forget_what_it_held(index);
    *pid = begin_child(index, seed);
}

static apr_uint64_t begun_so_far(void)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < CHILDREN * THREADS; i++)
        sum += look(storm->workers[i / THREADS][i % THREADS].begun);
    return sum;
}

static int all_rest(void)
{
    int i;

    for (i = 0; i < CHILDREN * THREADS; i++) {
        if (look(storm->workers[i / THREADS][i % THREADS].rests) !=
            look(storm->pause)) {
            return 0;
        }
    }
    return 1;
}

typedef struct sums_t {
    int slots, sockets, of_child[CHILDREN], of_person[PEOPLE];
} sums_t;

static sums_t what_they_hold(void)
{
    sums_t s;
    int i, k;

    memset(&s, 0, sizeof(s));
    for (i = 0; i < CHILDREN * THREADS; i++) {
        const worker_t *w = &storm->workers[i / THREADS][i % THREADS];

        s.slots += w->slot_count;
        s.sockets += w->socket_count;
        s.of_child[i / THREADS] += w->slot_count;
        for (k = 0; k < w->slot_count; k++)
            s.of_person[w->people[k]]++;
    }
    return s;
}

static int words_of(apr_uint64_t hash)
{
    apr_uint32_t i;
    int n = 0;

    for (i = 0; i < BL_DIRECTORY_SLOTS; i++)
        n += shm->principal_hash[i] == hash;
    return n;
}

static void expect_directory(const sums_t *held)
{
    apr_uint32_t i;
    int words = 0, hashes = 0;

    for (i = 0; i < BL_DIRECTORY_SLOTS; i++) {
        words += shm->words[i] != 0;
        hashes += shm->principal_hash[i] != 0;
        if (!shm->words[i]) assert_true(shm->request_hash[i] == 0);
    }
    assert_int_equal(words, held->slots);
    assert_int_equal(hashes, held->slots);
    assert_int_equal(bl_slot_count(shm), held->slots);
    assert_true(held->slots <= MOST_ALL);
    for (i = 0; i < PEOPLE; i++) {
        assert_int_equal(words_of(person((int)i)), held->of_person[i]);
        assert_true(held->of_person[i] <= MOST_OF_ONE);
    }
    for (i = 0; i < CHILDREN; i++) {
        assert_int_equal(shm->children[storm->child[i]].live,
                         held->of_child[i]);
        assert_true(held->of_child[i] <= MOST_OF_CHILD);
    }
}

/* I2: started is the sum of the outcomes and what lives; and each one that
 * somebody began was counted, but for one a thread at the moment of a kill. */
static void expect_counters(int slots, int kills)
{
    apr_uint64_t started = bl_stats_total(shm, BL_COUNT_STREAMS_STARTED);
    apr_uint64_t begun = begun_so_far(), outcomes = 0;
    int i;

    for (i = BL_COUNT_STREAMS_COMPLETED; i <= BL_COUNT_STREAMS_INTERRUPTED; i++)
        outcomes += bl_stats_total(shm, i);
    assert_int_equal(started, outcomes + (apr_uint64_t)slots);
    assert_true(started <= begun);
    assert_true(started + (apr_uint64_t)(kills * THREADS) >= begun);
}

static void compare(int kills)
{
    sums_t held;

    put(storm->pause, storm->pause + 1);
    wait_until(all_rest());
    bl_shm_reclaim(shm);
    held = what_they_hold();
    expect_directory(&held);
    assert_int_equal(bl_sockets_count(shm), held.sockets);
    expect_counters(held.slots, kills);
    assert_int_equal(storm->strange, 0);
    put(storm->go, storm->pause);
}

static void expect_nothing_left(void)
{
    bl_slot_ask_t ask;
    bl_slot_t *slot;
    char id[BL_ID_TEXT + 1];
    int i, child;

    memset(&ask, 0, sizeof(ask));
    assert_int_equal(bl_slot_count(shm), 0);
    assert_int_equal(bl_sockets_count(shm), 0);
    assert_int_equal(bl_shm_join(shm, 99, &child), APR_SUCCESS);
    ask.child = child;
    ask.owner = "user:li";
    ask.principal_hash = person(0);
    ask.most_all = MOST_ALL;
    ask.most_of_principal = MOST_ALL;
    for (i = 0; i < MOST_ALL; i++)
        assert_int_equal(bl_slot_take(shm, &ask, &slot, id), APR_SUCCESS);
    assert_int_equal(bl_slot_take(shm, &ask, &slot, id), BL_E_OVERLOADED);
    bl_shm_leave(shm, child);
    assert_int_equal(bl_slot_count(shm), 0);
}

static unsigned chosen_seed(void)
{
    const char *given = getenv("BL_SEED");
    unsigned seed =
        given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);

    print_message("BL_SEED=%u\n", seed);
    return seed;
}

/* Until so many more have begun: however slow the machine is, as long as there
 * is any progress. */
static void let_them_begin(apr_uint64_t count)
{
    apr_uint64_t until = begun_so_far() + count, known;

    do {
        known = begun_so_far();
        wait_until(begun_so_far() > known);
    } while (begun_so_far() < until);
}

#define BETWEEN 500 /* kills, about */

static void test_children_r04_counts_never_drift(void **state)
{
    apr_uint64_t most = (apr_uint64_t)times(20000, 1000000);
    pid_t pids[CHILDREN];
    thread_t dice;
    int i, kills = 0;

    (void)state;
    shm = shared(bl_shm_size());
    storm = shared(sizeof(*storm));
    assert_int_equal(bl_shm_format(shm), APR_SUCCESS);
    dice.seed = chosen_seed();
    for (i = 0; i < CHILDREN; i++)
        pids[i] = begin_child(i, dice.seed + (unsigned)i);
    while (begun_so_far() < most) {
        let_them_begin((apr_uint64_t)(1 + chance(&dice, 2 * BETWEEN)));
        i = chance(&dice, CHILDREN);
        kill_child(&pids[i], i, dice.seed + (unsigned)++kills);
        if (chance(&dice, 2)) compare(kills);
    }
    compare(kills);
    put(storm->is_over, 1);
    for (i = 0; i < CHILDREN; i++) {
        int status;

        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
    }
    print_message("%lu streams begun, %d children killed\n",
                  (unsigned long)begun_so_far(), kills);
    expect_nothing_left();
    munmap(storm, sizeof(*storm));
    munmap(shm, bl_shm_size());
}

/* --- P14: nothing from before the fork ---------------------------------------
 * The parent has what httpd's has, and has used it: the keyring, the segment,
 * the random source. Each child opens the engine as child_init does. */

#define AT_ONCE 4

typedef struct firsts_t {
    char id[BL_ID_TEXT + 1];
    unsigned char nonce[BL_AEAD_NONCE_BYTES];
    unsigned char is_there;
} firsts_t;

static engine_env_t ee;

static apr_status_t seal(bl_keyring_t *k, unsigned char *nonce)
{
    static const bl_seal_for_t what = {"api_key", "api_key", 1, 1};
    unsigned char *sealed;
    size_t len;
    apr_status_t rv = bl_keyring_seal(k, &what, "sk-1", 4, &sealed, &len);

    if (rv != APR_SUCCESS) return rv;
    memcpy(nonce, sealed + 5, BL_AEAD_NONCE_BYTES); /* keyring.h */
    free(sealed);
    return APR_SUCCESS;
}

static apr_status_t take_first(bl_engine_t *e, char *id)
{
    bl_slot_ask_t ask;
    bl_slot_t *slot;

    memset(&ask, 0, sizeof(ask));
    ask.child = bl_engine_child(e);
    ask.owner = "user:li";
    ask.principal_hash = person(0);
    ask.most_all = ask.most_of_principal = BL_STREAMS_ALL;
    return bl_slot_take(ee.shm, &ask, &slot, id);
}

static void be_a_child(firsts_t *f)
{
    char err[256] = "";
    bl_engine_t *e;

    if (bl_engine_open(&e, &ee.conf, err, sizeof(err)) != APR_SUCCESS) _exit(1);
    if (take_first(e, f->id) != APR_SUCCESS) _exit(2);
    if (seal(ee.keyring, f->nonce) != APR_SUCCESS) _exit(3);
    f->is_there = 1;
    bl_engine_close(e);
    _exit(0);
}

static void expect_good_end(void)
{
    int status;

    assert_true(wait(&status) > 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const firsts_t *)a)->id, ((const firsts_t *)b)->id,
                  BL_ID_TEXT);
}

/* Behind the digits of the time and before those of the slot. */
static int by_chance(const void *a, const void *b)
{
    return memcmp(((const firsts_t *)a)->id + 2 * BL_ID_TIME_BYTES,
                  ((const firsts_t *)b)->id + 2 * BL_ID_TIME_BYTES, 20);
}

static int by_nonce(const void *a, const void *b)
{
    return memcmp(((const firsts_t *)a)->nonce, ((const firsts_t *)b)->nonce,
                  BL_AEAD_NONCE_BYTES);
}

static void expect_all_differ(firsts_t *f, int n,
                              int (*compare_by)(const void *, const void *))
{
    int i;

    qsort(f, (size_t)n, sizeof(*f), compare_by);
    for (i = 1; i < n; i++)
        assert_true(compare_by(&f[i - 1], &f[i]) != 0);
}

static void test_children_p14_first_ids_and_nonces_differ(void **state)
{
    int count = times(40, 10000), i;
    firsts_t *firsts = shared(sizeof(*firsts) * (size_t)(count + 1));

    (void)state;
    bl_log_install(log_nothing, BL_LOG_ERR);
    engine_env_make(&ee);
    /* The parent's own, so that there is a state which could be copied. */
    assert_int_equal(seal(ee.keyring, firsts[count].nonce), APR_SUCCESS);
    assert_int_equal(bl_id_bytes(firsts[count].id, BL_ID_TEXT, 0), APR_SUCCESS);
    for (i = 0; i < count; i++) {
        pid_t pid;

        if (i >= AT_ONCE) expect_good_end();
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) be_a_child(&firsts[i]);
    }
    for (i = 0; i < AT_ONCE; i++)
        expect_good_end();
    for (i = 0; i < count; i++)
        assert_true(firsts[i].is_there);
    expect_all_differ(firsts, count + 1, by_nonce);
    expect_all_differ(firsts, count + 1, by_id);
    expect_all_differ(firsts, count + 1, by_chance);
    assert_int_equal(bl_slot_count(ee.shm), 0);
    print_message("%d children\n", count);
    engine_env_close(&ee);
    munmap(firsts, sizeof(*firsts) * (size_t)(count + 1));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_r04_counts_never_drift),
        cmocka_unit_test(test_children_p14_first_ids_and_nonces_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

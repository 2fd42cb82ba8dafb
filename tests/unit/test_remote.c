/* SPDX-License-Identifier: Apache-2.0 */
/* Two processes, one database, one shared memory: a stream that runs in one is
 * read and stopped from the other. */
#include "engine_env.h"

#include "engine/remote.h"
#include "engine/remote_wire.h"
#include "engine/replay.h"
#include "shm/stats.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

static engine_env_t ee;

/* --- the other process -----------------------------------------------------
 * It has an engine of its own and does what single bytes tell it. Nothing is
 * asserted there: cmocka lives in this process. */

typedef struct far_t {
    pid_t pid;
    int tell[2], hear[2];
} far_t;

static far_t far;

static void far_ask(bl_engine_t *e, const char *key)
{
    bl_question_t q = engine_env_question(&ee);
    char id[BL_ID_TEXT + 1] = "";
    bl_stream_t *s;

    q.idempotency_key = key;
    if (bl_engine_ask(e, &q, &s, id) == APR_SUCCESS) bl_stream_unref(s);
    if (write(far.hear[1], id, sizeof(id)) < 0) _exit(3);
}

static void far_live(void)
{
    char err[256], byte = 'r';
    bl_engine_t *e;

    if (bl_engine_open(&e, &ee.conf, err, sizeof(err)) != APR_SUCCESS) _exit(2);
    if (write(far.hear[1], &byte, 1) != 1) _exit(3);
    while (read(far.tell[0], &byte, 1) == 1) {
        if (byte == 'a') far_ask(e, NULL);
        if (byte == 'k') far_ask(e, "the-key");
        if (byte == 'd') bl_engine_drain(e, 1);
        if (byte == 'q') break;
    }
    bl_engine_close(e);
    _exit(0);
}

static void far_tell(char what)
{
    assert_int_equal(write(far.tell[1], &what, 1), 1);
}

/* Before this process has threads. */
static void far_open(void)
{
    char byte;

    assert_int_equal(pipe(far.tell), 0);
    assert_int_equal(pipe(far.hear), 0);
    far.pid = fork();
    if (!far.pid) {
        close(far.tell[1]);
        close(far.hear[0]);
        far_live();
    }
    close(far.tell[0]);
    close(far.hear[1]);
    assert_int_equal(read(far.hear[0], &byte, 1), 1);
}

static const char *far_begin(char what)
{
    static char id[BL_ID_TEXT + 1];
    size_t n = 0;

    far_tell(what);
    while (n < sizeof(id)) {
        ssize_t got = read(far.hear[0], id + n, sizeof(id) - n);

        assert_true(got > 0);
        n += (size_t)got;
    }
    assert_int_equal(strlen(id), BL_ID_TEXT);
    return id;
}

static void far_kill(void)
{
    kill(far.pid, SIGKILL);
    assert_int_equal(waitpid(far.pid, NULL, 0), far.pid);
    far.pid = 0;
}

static void far_close(void)
{
    int status = 0;

    if (far.pid) {
        far_tell('q');
        assert_int_equal(waitpid(far.pid, &status, 0), far.pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    close(far.tell[1]);
    close(far.hear[0]);
}

static int open_env(void **state)
{
    (void)state;
    engine_env_make(&ee);
    return 0;
}

/* Both engines, and the upstream in this process. */
static void begin(stub_script_fn *script)
{
    far_open();
    engine_env_open(&ee, script, NULL);
}

static int close_env(void **state)
{
    (void)state;
    far_close();
    engine_env_close(&ee);
    return 0;
}

static bl_stream_t *attach(const char *id)
{
    bl_stream_t *s;

    assert_int_equal(bl_remote_attach(ee.engine, id, "user:li", &s),
                     APR_SUCCESS);
    assert_string_equal(s->id, id);
    return s;
}

/* --- scripts ---------------------------------------------------------------
 */

static void one_and_hang(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_say(c, "one");
    stub_hang(c);
}

#define MUCH (4 * 1024 * 1024)
#define PART 8192

static void say_much(stub_conn_t *c, void *ctx)
{
    char text[PART + 1];
    int i;

    (void)ctx;
    memset(text, 'm', PART);
    text[PART] = '\0';
    stub_begin(c);
    stub_wait(c); /* for the reader: without one nothing is held */
    for (i = 0; i < MUCH / PART; i++)
        stub_say(c, text);
    stub_finish(c, "");
}

/* --- reading ---------------------------------------------------------------
 */

static apr_status_t pack(void *ctx, const bl_event_t *ev)
{
    bl_buf_t *out = ctx;

    bl_buf_putu(out, ev->seq);
    return bl_event_pack(out, ev);
}

static void pack_journal(bl_stream_t *s, bl_buf_t *out)
{
    apr_uint64_t after = 0;
    bl_event_t ev;
    int n;

    while (bl_journal_read(s->journal, after, &ev, 1, &n) == APR_SUCCESS) {
        pack(out, &ev);
        after = ev.seq;
    }
}

/* I3: every event as the other process numbered, timed and stored it. */
static void test_remote_reader_gets_every_event_byte_by_byte(void **state)
{
    bl_stored_stream_t row;
    bl_buf_t here, stored;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    begin(stub_half_then_half);
    s = attach(far_begin('a'));
    assert_string_equal(s->conversation_id, "c1");
    assert_string_equal(s->app, "qa");
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one")); /* live, before the end */
    stub_open_gate(&ee.stub);
    reader_expect_end(r, "completed", NULL);
    assert_string_equal(r->text, "one two");
    assert_string_equal(r->kinds, "start delta delta usage end ");
    engine_env_stored(&ee, s->id, &row);
    bl_buf_init(&here, 65536);
    bl_buf_init(&stored, 65536);
    pack_journal(s, &here);
    assert_int_equal(bl_store_events(ee.env.store, s->id, 0, pack, &stored),
                     APR_SUCCESS);
    assert_int_equal(here.len, stored.len);
    assert_memory_equal(here.data, stored.data, here.len);
    bl_buf_release(&here);
    bl_buf_release(&stored);
    reader_close(r);
    bl_stream_unref(s);
}

static void test_remote_readers_may_be_many_and_resume(void **state)
{
    bl_stream_t *a, *b;
    reader_t *r[4];
    const char *id;
    int i;

    (void)state;
    begin(stub_half_then_half);
    id = far_begin('a');
    a = attach(id);
    b = attach(id);
    r[0] = reader_open(ee.engine, a, 0);
    wait_until(reader_has_text(r[0], "one"));
    r[1] = reader_open(ee.engine, a, 2);
    r[2] = reader_open(ee.engine, b, 0);
    r[3] = reader_open(ee.engine, b, 1);
    stub_open_gate(&ee.stub);
    for (i = 0; i < 4; i++)
        reader_expect_end(r[i], "completed", NULL);
    assert_string_equal(r[0]->text, "one two");
    assert_string_equal(r[1]->text, " two");
    assert_string_equal(r[2]->text, "one two");
    assert_string_equal(r[3]->text, "one two");
    for (i = 0; i < 4; i++)
        reader_close(r[i]);
    bl_stream_unref(a);
    bl_stream_unref(b);
}

/* S-04, C14: a foreign stream is as one that does not exist. */
static void test_remote_foreign_or_unknown_stream_is_not_found(void **state)
{
    const char *id;
    bl_stream_t *s, *mine;

    (void)state;
    begin(one_and_hang);
    id = far_begin('a');
    assert_int_equal(bl_remote_attach(ee.engine, id, "user:wu", &s),
                     BL_E_NOT_FOUND);
    assert_null(s);
    assert_int_equal(bl_remote_attach(ee.engine, id, "", &s), BL_E_NOT_FOUND);
    assert_int_equal(bl_remote_stop(ee.engine, id, "user:wu"), BL_E_NOT_FOUND);
    assert_int_equal(bl_remote_attach(ee.engine, env_id(5), "user:li", &s),
                     BL_E_NOT_FOUND);
    mine = engine_env_ask(&ee); /* lives here: not remote */
    assert_int_equal(bl_remote_attach(ee.engine, mine->id, "user:li", &s),
                     BL_E_NOT_FOUND);
    bl_stream_unref(mine);
    s = attach(id); /* and it still runs */
    bl_stream_unref(s);
}

/* --- stopping --------------------------------------------------------------
 */

static void test_remote_stop_ends_it_for_everybody(void **state)
{
    bl_stored_stream_t row;
    const char *id;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    begin(one_and_hang);
    id = far_begin('a');
    s = attach(id);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    assert_int_equal(bl_remote_stop(ee.engine, id, "user:li"), APR_SUCCESS);
    reader_expect_end(r, "cancelled", "cancelled");
    wait_until(stub_gone(&ee.stub) == 1);
    engine_env_stored(&ee, id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_CANCELLED);
    reader_close(r);
    bl_stream_unref(s);
}

static void test_remote_mirror_stopped_stops_the_stream(void **state)
{
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    begin(one_and_hang);
    s = attach(far_begin('a'));
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    bl_engine_stop(ee.engine, s);
    reader_expect_end(r, "cancelled", "cancelled");
    reader_close(r);
    bl_stream_unref(s);
}

/* C01: a reader counts, and its going counts, wherever it reads. */
static void test_remote_last_reader_gone_cancels_by_policy(void **state)
{
    bl_stored_stream_t row;
    const char *id;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    ee.limits.policy = BL_POLICY_CANCEL;
    begin(one_and_hang);
    id = far_begin('a');
    s = attach(id);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    reader_close(r);
    engine_env_stored(&ee, id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_CANCELLED);
    wait_until(stub_gone(&ee.stub) == 1);
    bl_stream_unref(s);
}

/* --- a slow reader (U28) ---------------------------------------------------
 */

/* Looked at often enough that whatever is on its way would have come. */
static int stays_paused(const bl_stream_t *s)
{
    apr_int64_t child_id;
    bl_slot_t *slot;
    int i, child;

    for (i = 0; i < 200; i++) {
        slot = bl_slot_find(ee.shm, s->id, &child, &child_id);
        if (!slot || bl_slot_get(slot, phase) != BL_PHASE_PAUSED) return 0;
        usleep(1000);
    }
    return 1;
}

static void test_remote_stalled_reader_holds_the_upstream_u28(void **state)
{
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    ee.limits.queue_bytes = 64 * 1024;
    begin(say_much);
    s = attach(far_begin('a'));
    r = reader_open_stalled(ee.engine, s);
    stub_open_gate(&ee.stub);
    wait_until(stays_paused(s));
    assert_true(bl_journal_bytes(s->journal) < MUCH / 4);
    reader_go_on(r);
    reader_expect_end(r, "completed", NULL);
    assert_int_equal(r->text_len, MUCH);
    reader_close(r);
    bl_stream_unref(s);
}

/* --- the other process goes ------------------------------------------------
 */

static void test_remote_drained_tells_its_readers_too(void **state)
{
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    begin(one_and_hang);
    s = attach(far_begin('a'));
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    far_tell('d');
    reader_expect_end(r, "interrupted", "draining");
    assert_string_equal(r->text, "one");
    reader_close(r);
    bl_stream_unref(s);
}

/* P04: this process is over with its drain, and a connection that it still has
 * asks for a stream of the other: told to come back, as those before it. */
static void
test_remote_reader_after_the_drain_is_sent_away_too_p04(void **state)
{
    char id[BL_ID_TEXT + 1];
    bl_stream_t *s;
    reader_t *r;
    int i;

    (void)state;
    begin(one_and_hang);
    snprintf(id, sizeof(id), "%s", far_begin('a'));
    for (i = 0; i < 2; i++) {
        s = attach(id);
        r = reader_open(ee.engine, s, 0);
        bl_engine_drain(ee.engine, 0);
        wait_until(reader_is_over(r));
        assert_null(bl_engine_find(ee.engine, id));
        assert_int_not_equal(r->last_kind, BL_EV_END);
        reader_close(r);
        bl_stream_unref(s);
    }
}

/* P01: killed in mid-answer. The reader is told to come back (no END); within
 * 10 s the stream is marked interrupted; who comes back gets what was stored
 * and the end, or is told that it saw more than that. */
static void
test_remote_killed_tells_to_come_back_then_interrupted_p01(void **state)
{
    char id[BL_ID_TEXT + 1];
    bl_stored_stream_t row;
    bl_stream_t *s, *again;
    apr_uint64_t last;
    reader_t *r;
    int i;

    (void)state;
    begin(one_and_hang);
    snprintf(id, sizeof(id), "%s", far_begin('a'));
    s = attach(id);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    wait_until(bl_store_stream(ee.env.store, id, &row) == APR_SUCCESS &&
               row.event_count >= 2); /* at least every 2 s */
    far_kill();
    wait_until(bl_stream_wait_end(s, 1000)); /* nothing more comes of it */
    wait_until(reader_is_over(r));
    assert_int_equal(r->last_kind, BL_EV_DELTA);
    assert_int_equal(r->last_seq, 2);
    assert_null(bl_engine_find(ee.engine, id));
    for (i = 0; i < 600; i++) { /* 60 s */
        assert_int_equal(bl_store_stream(ee.env.store, id, &row), APR_SUCCESS);
        if (row.outcome != BL_OUTCOME_NONE) break;
        usleep(100000);
    }
    assert_int_equal(row.outcome, BL_OUTCOME_INTERRUPTED);
    wait_until(bl_slot_count(ee.shm) == 0);
    reader_close(r);
    assert_int_equal(bl_replay_load(ee.engine, &row, 2, &again, &last),
                     APR_SUCCESS);
    r = reader_open(ee.engine, again, 2);
    reader_expect_end(r, "interrupted", "interrupted");
    assert_int_equal(r->events, 1);
    assert_true(r->last_seq >= 1000000);
    reader_close(r);
    bl_stream_unref(again);
    assert_int_equal(bl_replay_load(ee.engine, &row, 3, &again, &last),
                     BL_E_TRIMMED);
    assert_int_equal(last, 2);
    bl_stream_unref(s);
}

/* C18: one key in two processes: one run, and the second one reads it. */
static void test_remote_same_key_joins_the_other_process_c18(void **state)
{
    char id[BL_ID_TEXT + 1];
    bl_question_t q;
    const char *first;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    begin(stub_half_then_half);
    first = far_begin('k');
    q = engine_env_question(&ee);
    q.idempotency_key = "the-key";
    assert_int_equal(bl_engine_ask(ee.engine, &q, &s, id), APR_EEXIST);
    assert_string_equal(id, first);
    s = attach(id);
    r = reader_open(ee.engine, s, 0);
    stub_open_gate(&ee.stub);
    reader_expect_end(r, "completed", NULL);
    assert_string_equal(r->text, "one two");
    assert_int_equal(stub_asked(&ee.stub), 1);
    assert_int_equal(bl_stats_total(ee.shm, BL_COUNT_STREAMS_STARTED), 1);
    reader_close(r);
    bl_stream_unref(s);
}

/* --- strangers at the socket -----------------------------------------------
 */

static int dial(void)
{
    int child = !bl_engine_child(ee.engine);
    struct sockaddr_un address;
    socklen_t len = bl_remote_address(
        ee.engine, ee.shm->children[child].child_id, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

/* I1: whatever is said to the socket, the process behind it lives on. */
static void test_remote_garbage_at_the_socket_changes_nothing(void **state)
{
    bl_remote_answer_t answer;
    bl_remote_ask_t ask;
    bl_stream_t *s;
    reader_t *r;
    const char *id;
    size_t n;
    int fd;

    (void)state;
    begin(stub_half_then_half);
    id = far_begin('a');
    memset(&ask, 0xff, sizeof(ask));
    fd = dial();
    assert_int_equal(send(fd, &ask, sizeof(ask), 0), sizeof(ask));
    assert_int_equal(recv(fd, &answer, sizeof(answer), MSG_WAITALL),
                     sizeof(answer));
    assert_int_equal(answer.status, BL_E_NOT_FOUND);
    close(fd);
    for (n = 0; n < sizeof(ask); n += 7) { /* goes away in its ask */
        fd = dial();
        if (n) assert_int_equal(send(fd, &ask, n, 0), n);
        close(fd);
    }
    s = attach(id);
    r = reader_open(ee.engine, s, 0);
    stub_open_gate(&ee.stub);
    reader_expect_end(r, "completed", NULL);
    reader_close(r);
    bl_stream_unref(s);
}

#define with_env(test)                                                         \
    cmocka_unit_test_setup_teardown(test, open_env, close_env)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_env(test_remote_reader_gets_every_event_byte_by_byte),
        with_env(test_remote_readers_may_be_many_and_resume),
        with_env(test_remote_foreign_or_unknown_stream_is_not_found),
        with_env(test_remote_stop_ends_it_for_everybody),
        with_env(test_remote_mirror_stopped_stops_the_stream),
        with_env(test_remote_last_reader_gone_cancels_by_policy),
        with_env(test_remote_stalled_reader_holds_the_upstream_u28),
        with_env(test_remote_drained_tells_its_readers_too),
        with_env(test_remote_reader_after_the_drain_is_sent_away_too_p04),
        with_env(test_remote_killed_tells_to_come_back_then_interrupted_p01),
        with_env(test_remote_same_key_joins_the_other_process_c18),
        with_env(test_remote_garbage_at_the_socket_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

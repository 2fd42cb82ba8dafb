/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer - reads one HTTP answer that is an event stream and checks it while
 * it arrives, however it is cut: framing, numbers without gap and repeat, the
 * stream it belongs to, the filler, the end.
 *
 * Two dialects: "bailian" is the upstream's own (what a plain proxy passes
 * on), "chat" the module's plain chat stream; there the ids must rise and the
 * last event must repeat the whole answer.
 *
 * OWNERSHIP  An answer owns its memory; bench_answer_free gives it back.
 * THREADS    One.
 * ERRORS     A failure is final and named in answer->failure; what comes
 *            behind it is not read.
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "hist.h"

enum { BENCH_BAILIAN, BENCH_CHAT };

/* X(name): what can be wrong with an answer; the order is that of reports. */
#define BENCH_FAILURES(X)                                                      \
    X(none)                                                                    \
    X(connect)   /* no connection */                                           \
    X(reset)     /* connection lost with an error */                           \
    X(timeout)   /* nothing came for too long */                               \
    X(head)      /* the head cannot be read, or is no event stream */          \
    X(status)    /* not 200 */                                                 \
    X(chunk)     /* chunked framing is wrong */                                \
    X(cut)       /* closed before the end of the body */                       \
    X(no_end)    /* the body ended without a last event */                     \
    X(early_end) /* the last event came before the expected number */          \
    X(after_end) /* something follows the last event */                        \
    X(gap)       /* a number is missing */                                     \
    X(repeat)    /* a number came again */                                     \
    X(mixed)     /* an event of another stream */                              \
    X(stamp)     /* an event's text has no stamp */                            \
    X(filler)    /* an event's text is not what was sent */                    \
    X(id)        /* the event's id is not a rising one */                      \
    X(whole)     /* the last event does not repeat the whole answer */         \
    X(error)     /* the server sent an error event */                          \
    X(replay)    /* a replay differs from what came live */

#define BENCH_FAILURE_ENUM(name) BENCH_FAIL_##name,
enum { BENCH_FAILURES(BENCH_FAILURE_ENUM) BENCH_FAIL_MAX };
extern const char *const bench_failure_names[];

/* What is expected, and where the delays go; shared by all answers. */
typedef struct bench_expect_t {
    int dialect;
    uint32_t events;     /* 0 = any number */
    uint32_t text_bytes; /* of filler; UINT32_MAX = do not look */
    bench_hist_t delay, gap;
    uint64_t total_events, total_bytes, heartbeats;
} bench_expect_t;

#define BENCH_ID_ROOM 80

typedef struct bench_answer_t {
    int state;   /* of the HTTP body, private */
    int failure; /* BENCH_FAIL_x */
    int status;  /* HTTP status, 0 = head not read yet */
    int is_chunked, has_end, is_done;
    int is_sent_back;   /* told to come back for the rest */
    int has_cr, framed; /* between chunks, private */
    uint64_t left;      /* of the chunk or body */
    char *carry;        /* an event or head that is not whole yet */
    size_t carried, room;
    uint64_t stream; /* 0 = no event yet */
    uint32_t seq;    /* of the last event */
    uint64_t first_ns, last_ns;
    uint64_t text_length, text_hash;
    uint64_t last_id;
    char id[BENCH_ID_ROOM];        /* the last id, as it came */
    char stream_id[BENCH_ID_ROOM]; /* X-Bailian-Stream */
    int keeps_transcript;
    char *transcript; /* id and data lines of all events but heartbeats */
    size_t transcript_length, transcript_room;
} bench_answer_t;

/* Ready for the next answer; memory is kept, ids and transcript too when the
 * answer is a continuation of the one before. */
void bench_answer_begin(bench_answer_t *answer, int is_continuation);

/* Takes what arrived at now. The answer is whole when is_done is set. */
void bench_answer_feed(bench_answer_t *answer, bench_expect_t *expect,
                       const char *data, size_t length, uint64_t now_ns);

/* The same without HTTP and SSE around it: the text of the next event, and
 * that it was the last one. For a transport that frames its events itself. */
void bench_answer_text(bench_answer_t *answer, bench_expect_t *expect,
                       const char *text, size_t length, uint64_t now_ns);
void bench_answer_end(bench_answer_t *answer, const bench_expect_t *expect);

/* The connection ended. */
void bench_answer_eof(bench_answer_t *answer);

void bench_answer_free(bench_answer_t *answer);

#endif

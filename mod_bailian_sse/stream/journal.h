/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal - the ordered, numbered events of one stream.
 *
 * An event gets its seq here and nowhere else, without a gap. A seq that a
 * reader has seen never names another event, not even after a crash: clients
 * resume by it (docs/decisions/0003-resume-by-seq.md).
 *
 * Text lies in blocks that never move, 16 bytes of index an event. A view that
 * bl_journal_read() gave stays valid until the journal is destroyed.
 *
 * OWNERSHIP  the stream owns its journal.
 * THREADS    append, close: the one producer (reactor). read, tail: any.
 * ERRORS     APR_EAGAIN nothing after that seq yet; APR_EOF closed and read to
 *            its end; APR_ENOSPC the ceiling of the journal;
 *            APR_ENOMEM, or BL_E_OVERLOADED when the budget is used up: nothing
 *            was appended.
 */
#ifndef BL_JOURNAL_H
#define BL_JOURNAL_H

#include "event.h"

/* Of the struct: what an event that is appended and read uses. */
#define BL_JOURNAL_USED_BYTES 152

/* What it holds is counted in budget, or nowhere (NULL). */
apr_status_t bl_journal_create(bl_journal_t **pj, size_t limit_bytes,
                               bl_budget_t *budget);
void bl_journal_destroy(bl_journal_t *j);

/* An event is about to come: fetches the memory where it will lie. The one
 * that appends. */
void bl_journal_expect(const bl_journal_t *j);

/* Copies ev (its seq is ignored) to the end. *pseq may be NULL. */
apr_status_t bl_journal_append(bl_journal_t *j, const bl_event_t *ev,
                               apr_uint64_t *pseq);

/* The last event of a stream that was cut by a crash: its seq is above every
 * one that can have been delivered (P01), ev->seq says which. Nothing may be
 * appended behind it. */
apr_status_t bl_journal_append_at(bl_journal_t *j, const bl_event_t *ev);

/* No event follows. The END event is appended before, by the stream. */
void bl_journal_close(bl_journal_t *j);

/* A journal that goes on where a stored or remote one stands: the next append
 * gets seq first + 1; what is at or below it answers BL_E_TRIMMED. Only on an
 * empty journal. */
void bl_journal_begin_after(bl_journal_t *j, apr_uint64_t seq);

/* Up to most events after `after`, oldest first; *pn how many. With *pn > 0
 * the answer is APR_SUCCESS. */
apr_status_t bl_journal_read(bl_journal_t *j, apr_uint64_t after,
                             bl_event_t *events, int most, int *pn);

/* Without the lock: for marks and sums, which may be one event old. */
apr_uint64_t bl_journal_tail(const bl_journal_t *j); /* newest seq, 0 = none */
size_t bl_journal_bytes(const bl_journal_t *j);      /* text + fields so far */
size_t bl_journal_memory(const bl_journal_t *j);     /* what it holds */

/* What an event takes in memory: text, fields and its place in the index,
 * which is most of it where an answer comes a word at a time. */
size_t bl_event_weight(const bl_event_t *ev);
size_t bl_journal_weight(const bl_journal_t *j); /* of all, without the lock */

/* Of the events after `after`: a reader's lag. */
size_t bl_journal_weight_after(bl_journal_t *j, apr_uint64_t after);

/* --- the stored form of a run of events (store: stream_event.data) ---------
 * Version 1, little endian, for each event: u8 kind, u32 at_ms, u32 text_len,
 * u32 fields_len, text, fields. seq is not stored: a run names its first. */
struct bl_buf_t;
apr_status_t bl_event_pack(bl_buf_t *out, const bl_event_t *ev);

/* Reads the event at *pat and moves *pat behind it; seq is the caller's.
 * APR_EOF at the end, BL_E_STORE_CORRUPT when the run is not whole. Views
 * into data. */
apr_status_t bl_event_unpack(const char *data, size_t len, size_t *pat,
                             bl_event_t *ev);

#endif

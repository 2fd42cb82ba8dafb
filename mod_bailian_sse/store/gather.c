/* SPDX-License-Identifier: Apache-2.0 */
#include "store/gather.h"

#include "base/errors.h"
#include "stream/event.h"
#include "stream/journal.h"

#include <stdlib.h>
#include <string.h>

/* REPLACE: {"keep":123} - so many bytes stay, the event's text follows. */
static size_t bytes_to_keep(const bl_event_t *ev)
{
    static const char name[] = "\"keep\":";
    char fields[64];
    const char *at;
    size_t n = ev->fields_len < sizeof(fields) - 1 ? ev->fields_len
                                                   : sizeof(fields) - 1;

    if (!ev->fields) return 0;
    memcpy(fields, ev->fields, n);
    fields[n] = '\0';
    at = strstr(fields, name);
    return at ? (size_t)strtoull(at + sizeof(name) - 1, NULL, 10) : 0;
}

static apr_status_t add_event(const bl_event_t *ev, bl_buf_t *text,
                              bl_buf_t *reasoning)
{
    size_t kept;

    switch (ev->kind) {
    case BL_EV_REPLACE:
        if (!text) return APR_SUCCESS;
        kept = bytes_to_keep(ev);
        if (kept < text->len) text->len = kept;
        return bl_buf_append(text, ev->text, ev->text_len);
    case BL_EV_DELTA:
        if (!text) return APR_SUCCESS;
        return bl_buf_append(text, ev->text, ev->text_len);
    case BL_EV_REASONING:
        if (!reasoning) return APR_SUCCESS;
        return bl_buf_append(reasoning, ev->text, ev->text_len);
    default:
        return APR_SUCCESS;
    }
}

static apr_status_t add_run(sqlite3_stmt *st, bl_buf_t *text,
                            bl_buf_t *reasoning)
{
    const char *data = sqlite3_column_blob(st, 1);
    size_t len = (size_t)sqlite3_column_bytes(st, 1), at = 0;
    bl_event_t ev;
    apr_status_t rv;

    while ((rv = bl_event_unpack(data, len, &at, &ev)) == APR_SUCCESS) {
        rv = add_event(&ev, text, reasoning);
        if (rv != APR_SUCCESS) return rv;
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t bl_gather_stream(bl_db_t *db, apr_int64_t stream, bl_buf_t *text,
                              bl_buf_t *reasoning, apr_uint64_t *plast_seq)
{
    static const char sql[] = "SELECT last_seq, data FROM stream_event"
                              " WHERE stream = ?1 ORDER BY first_seq";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (plast_seq) *plast_seq = 0;
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, stream);
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        if (plast_seq) *plast_seq = (apr_uint64_t)sqlite3_column_int64(st, 0);
        rv = add_run(st, text, reasoning);
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

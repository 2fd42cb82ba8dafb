/* SPDX-License-Identifier: Apache-2.0 */
#include "ends.h"
#include "live.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "shm/marks.h"
#include "wire/csv.h"
#include "wire/json_write.h"

#include <stdio.h>
#include <string.h>

/* --- one end ------------------------------------------------------------ */

static void put_text(bl_buf_t *out, const char *name, const char *text)
{
    bl_buf_printf(out, ",\"%s\":", name);
    if (text)
        bl_json_puts(out, text);
    else
        bl_buf_puts(out, "null");
}

/* -1: unknown */
static void put_number(bl_buf_t *out, const char *name, apr_int64_t n)
{
    if (n < 0)
        bl_buf_printf(out, ",\"%s\":null", name);
    else
        bl_buf_printf(out, ",\"%s\":%" APR_INT64_T_FMT, name, n);
}

static void put_time(bl_buf_t *out, const char *name, apr_time_t at)
{
    char text[BL_TIME_TEXT];

    put_text(out, name, at ? bl_time_text(text, at) : NULL);
}

static void put_end(const bl_end_row_t *row, bl_buf_t *out)
{
    bl_buf_printf(out, "\"id\":\"%s\"", row->id);
    put_text(out, "owner", row->owner);
    put_text(out, "app", row->app);
    put_text(out, "upstream", row->upstream);
    put_text(out, "transport", row->transport);
    put_text(out, "client", row->client);
    put_text(out, "conversationId", row->conversation_id);
    put_text(out, "requestId", row->request_id);
    put_text(out, "upstreamRequestId", row->upstream_request_id);
    put_text(out, "outcome",
             row->outcome ? bl_outcome_name(row->outcome) : "live");
    put_text(out, "code", row->reason);
    put_text(out, "upstreamCode", row->upstream_code);
    put_text(out, "finishReason", row->finish_reason);
    put_time(out, "startedAt", row->started_at);
    put_time(out, "endedAt", row->ended_at);
    put_number(out, "durationMs", row->duration_ms);
    put_number(out, "firstContentMs", row->first_content_ms);
    put_number(out, "events", row->event_count);
    put_number(out, "bytes", row->text_len);
    put_number(out, "inputTokens", row->input_tokens);
    put_number(out, "outputTokens", row->output_tokens);
    put_text(out, "key", row->key_last4);
    put_text(out, "keyName", row->key_name);
    put_text(out, "model", row->model_id);
    bl_buf_puts(out, ",\"attempts\":");
    bl_buf_puts(out, row->attempts_json ? row->attempts_json : "[]");
}

/* --- a list ------------------------------------------------------------- */

typedef struct list_t {
    bl_buf_t *out;
    int count, most;
    apr_time_t last_at;
    apr_int64_t last_row;
    int has_more;
} list_t;

static apr_status_t on_row(void *ctx, const bl_end_row_t *row)
{
    list_t *list = ctx;

    if (list->count == list->most) {
        list->has_more = 1;
        return APR_SUCCESS;
    }
    bl_buf_puts(list->out, list->count++ ? ",{" : "{");
    put_end(row, list->out);
    list->last_at = row->ended_at;
    list->last_row = row->row;
    return bl_buf_puts(list->out, "}");
}

apr_status_t bl_admin_ends(bl_store_t *s, const bl_ends_ask_t *ask,
                           bl_buf_t *out)
{
    bl_ends_ask_t more = *ask;
    list_t list = {out, 0, ask->limit, 0, 0, 0};
    apr_status_t rv;

    more.limit = ask->limit + 1; /* is there a next page? */
    bl_buf_puts(out, "{\"items\":[");
    rv = bl_store_ends(s, &more, on_row, &list);
    if (rv != APR_SUCCESS) return rv;
    if (!list.has_more) return bl_buf_puts(out, "],\"next\":null}\n");
    return bl_buf_printf(
        out, "],\"next\":\"%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT "\"}\n",
        list.last_at, list.last_row);
}

int bl_admin_ends_cursor(const char *text, bl_ends_ask_t *ask)
{
    char after;

    return sscanf(text, "%18" APR_INT64_T_FMT "-%18" APR_INT64_T_FMT "%c",
                  &ask->before, &ask->before_id, &after) == 2 &&
           ask->before > 0 && ask->before_id > 0;
}

/* --- rows for spreadsheets ---------------------------------------------- */

static void csv_number(bl_csv_t *csv, apr_int64_t n)
{
    if (n < 0)
        bl_csv_text(csv, NULL);
    else
        bl_csv_int(csv, n);
}

static apr_status_t on_csv_row(void *ctx, const bl_end_row_t *row)
{
    bl_csv_t *csv = ctx;
    char started[BL_TIME_TEXT], ended[BL_TIME_TEXT];

    bl_csv_text(csv, row->id);
    bl_csv_text(csv, bl_time_text(started, row->started_at));
    bl_csv_text(csv, bl_time_text(ended, row->ended_at));
    bl_csv_text(csv, bl_outcome_name(row->outcome));
    bl_csv_text(csv, row->reason);
    bl_csv_text(csv, row->upstream_code);
    bl_csv_text(csv, row->owner);
    bl_csv_text(csv, row->app);
    bl_csv_text(csv, row->upstream);
    bl_csv_text(csv, row->transport);
    bl_csv_text(csv, row->client);
    bl_csv_text(csv, row->request_id);
    bl_csv_text(csv, row->upstream_request_id);
    bl_csv_int(csv, row->attempts);
    csv_number(csv, row->duration_ms);
    csv_number(csv, row->first_content_ms);
    csv_number(csv, row->event_count);
    csv_number(csv, row->text_len);
    csv_number(csv, row->input_tokens);
    csv_number(csv, row->output_tokens);
    bl_csv_text(csv, row->key_last4);
    bl_csv_text(csv, row->model_id);
    bl_csv_end_row(csv);
    return bl_buf_status(csv->out);
}

apr_status_t bl_admin_ends_csv(bl_store_t *s, const bl_ends_ask_t *ask,
                               bl_buf_t *out)
{
    bl_ends_ask_t all = *ask;
    bl_csv_t csv;

    all.limit = BL_ENDS_CSV_MOST;
    bl_csv_begin(&csv, out,
                 "id,startedAt,endedAt,outcome,code,upstreamCode,owner,app,"
                 "upstream,transport,client,requestId,upstreamRequestId,"
                 "attempts,durationMs,firstContentMs,events,bytes,inputTokens,"
                 "outputTokens,key,model");
    return bl_store_ends(s, &all, on_csv_row, &csv);
}

/* --- one stream --------------------------------------------------------- */

static void put_mark(const bl_mark_t *m, bl_buf_t *out)
{
    const char *name = bl_mark_name(m->what);

    bl_buf_printf(out, "{\"atMs\":%u,\"what\":\"%s\"", m->at_ms,
                  name ? name : "unknown");
    if (m->what == BL_MARK_END) {
        bl_buf_printf(out, ",\"outcome\":\"%s\"",
                      bl_outcome_name((bl_outcome_t)m->n));
    }
    else if (m->what != BL_MARK_START && m->what != BL_MARK_FIRST_CONTENT &&
             m->what != BL_MARK_PAUSED && m->what != BL_MARK_CONTINUED)
    {
        bl_buf_printf(out, ",\"n\":%u", m->n);
    }
    if (m->error && m->error <= bl_error_count()) {
        bl_buf_printf(out, ",\"class\":\"%s\"",
                      bl_error_at(m->error - 1)->code);
    }
    if (m->status) bl_buf_printf(out, ",\"status\":%u", m->status);
    bl_buf_puts(out, "}");
}

static void put_timeline(const bl_mark_t *marks, int count, int lost,
                         bl_buf_t *out)
{
    int i;

    bl_buf_puts(out, ",\"timeline\":[");
    for (i = 0; i < count; i++) {
        if (i) bl_buf_puts(out, ",");
        put_mark(&marks[i], out);
    }
    bl_buf_printf(out, "],\"timelineLost\":%d", lost);
}

static apr_status_t on_ended(void *ctx, const bl_end_row_t *row)
{
    bl_mark_t marks[BL_MARKS];
    bl_buf_t *out = ctx;
    int count, lost;

    bl_buf_puts(out, "{\"live\":false,");
    put_end(row, out);
    count = bl_marks_unpack(row->timeline, row->timeline_len, marks, &lost);
    put_timeline(marks, count, lost, out);
    return bl_buf_puts(out, "}\n");
}

static int put_live(bl_engine_t *e, const char *id, bl_buf_t *out)
{
    bl_shm_t *shm = bl_engine_shm(e);
    bl_mark_t marks[BL_MARKS];
    apr_int64_t child_id;
    int child, count, lost;
    const bl_slot_t *slot = bl_slot_find(shm, id, &child, &child_id);
    bl_slot_t copy;

    if (!slot) return 0;
    bl_slot_copy(&copy, slot);
    /* It ended meanwhile, and its place may have been taken. */
    if (bl_slot_find(shm, id, &child, &child_id) != slot) return 0;
    bl_buf_puts(out, "{\"live\":true,\"outcome\":\"live\",\"attempts\":[],");
    bl_live_put_row(shm, &copy, bl_clock_ms(), out);
    count = bl_marks_read(&copy, marks, &lost);
    put_timeline(marks, count, lost, out);
    bl_buf_puts(out, "}\n");
    return 1;
}

#define TRIES 100 /* x 10 ms: its row is on its way into the store */
#define TRY_USEC 10000

static apr_status_t on_outcome(void *ctx, const bl_end_row_t *row)
{
    *(bl_outcome_t *)ctx = row->outcome;
    return APR_SUCCESS;
}

apr_status_t bl_admin_stream(bl_engine_t *e, const char *id, bl_buf_t *out)
{
    bl_store_t *s = bl_engine_store(e);
    bl_outcome_t outcome;
    apr_status_t rv = BL_E_NOT_FOUND;
    int i;

    for (i = 0; i < TRIES; i++) {
        if (put_live(e, id, out)) return bl_buf_status(out);
        outcome = BL_OUTCOME_NONE;
        rv = bl_store_end_of(s, id, on_outcome, &outcome);
        if (rv == APR_SUCCESS && outcome != BL_OUTCOME_NONE) break;
        if (rv != APR_SUCCESS && !bl_slot_was_recent(bl_engine_shm(e), id)) {
            return rv;
        }
        apr_sleep(TRY_USEC);
    }
    return rv == APR_SUCCESS ? bl_store_end_of(s, id, on_ended, out) : rv;
}

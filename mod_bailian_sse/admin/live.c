/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "crypto/token.h"
#include "wire/csv.h"
#include "wire/json_write.h"

#include <string.h>

/* --- one stream --------------------------------------------------------- */

static void put_text(bl_buf_t *out, const char *name, const char *text,
                     size_t most)
{
    bl_buf_printf(out, ",\"%s\":\"", name);
    bl_json_escape(out, text, strnlen(text, most), 0);
    bl_buf_puts(out, "\"");
}

static void put_number(bl_buf_t *out, const char *name, apr_uint64_t n)
{
    bl_buf_printf(out, ",\"%s\":%" APR_UINT64_T_FMT, name, n);
}

static unsigned pid_of(const bl_shm_t *shm, const bl_slot_t *s)
{
    return shm->children[s->child % BL_SHM_CHILDREN].pid & ~BL_CHILD_CLEANER;
}

/* What stays the same until something happens. */
static void put_facts(const bl_shm_t *shm, const bl_slot_t *s, bl_buf_t *out)
{
    char id[BL_ID_TEXT + 1], at[BL_TIME_TEXT];

    bl_hex(id, s->id, BL_ID_BYTES);
    bl_buf_printf(out, "\"id\":\"%s\"", id);
    put_text(out, "owner", s->owner, sizeof(s->owner));
    put_text(out, "app", s->app, sizeof(s->app));
    put_text(out, "transport", s->transport, sizeof(s->transport));
    put_text(out, "client", s->client, sizeof(s->client));
    put_text(out, "key", s->key_last4, sizeof(s->key_last4));
    put_text(out, "phase", bl_phase_name((bl_phase_t)s->phase), 16);
    put_text(out, "startedAt", bl_time_text(at, s->started_at), sizeof(at));
    put_number(out, "pid", pid_of(shm, s));
    put_number(out, "events", s->seq);
    put_number(out, "bytes", s->bytes);
    put_number(out, "queueBytes", s->queue_bytes);
    put_number(out, "heartbeats", s->heartbeats);
    put_number(out, "readers", s->readers);
    put_number(out, "resumes", s->resumes);
    put_number(out, "pauses", s->pauses);
    put_number(out, "attempt", s->attempt);
    put_number(out, "attemptsMost", s->attempts_most);
    put_number(out, "retries", s->attempt > 1 ? s->attempt - 1 : 0);
    bl_buf_printf(out, ",\"eventsPerSecond\":%u.%u", s->rate / 10,
                  s->rate % 10);
    bl_buf_printf(out, ",\"firstContentMs\":%" APR_INT64_T_FMT,
                  s->first_content_ms);
}

static void put_ages(const bl_slot_t *s, bl_ms_t now, bl_buf_t *out)
{
    bl_buf_printf(
        out, ",\"ageMs\":%" APR_INT64_T_FMT ",\"silentMs\":%" APR_INT64_T_FMT,
        now - s->started_ms, now - s->last_event_ms);
}

void bl_live_put_row(const bl_shm_t *shm, const bl_slot_t *s, bl_ms_t now,
                     bl_buf_t *out)
{
    put_facts(shm, s, out);
    put_ages(s, now, out);
}

/* --- a list ------------------------------------------------------------- */

void bl_live_put_phases(const int *phases, bl_buf_t *out)
{
    int i;

    bl_buf_puts(out, "{");
    for (i = 0; i < BL_PHASES; i++) {
        bl_buf_printf(out, "%s\"%s\":%d", i ? "," : "",
                      bl_phase_name((bl_phase_t)i), phases[i]);
    }
    bl_buf_puts(out, "}");
}

static void put_head(const bl_live_found_t *found, bl_buf_t *out)
{
    char at[BL_TIME_TEXT];

    bl_buf_printf(out, "{\"at\":\"%s\",\"total\":%d,\"matched\":%d,\"phases\":",
                  bl_time_text(at, bl_clock_wall()), found->total,
                  found->matched);
    bl_live_put_phases(found->phases, out);
}

static void put_items(const bl_shm_t *shm, const bl_live_found_t *found,
                      bl_ms_t now, bl_buf_t *out)
{
    int i;

    bl_buf_puts(out, ",\"items\":[");
    for (i = 0; i < found->count; i++) {
        bl_buf_puts(out, i ? ",{" : "{");
        bl_live_put_row(shm, &found->rows[i], now, out);
        bl_buf_puts(out, "}");
    }
    bl_buf_puts(out, "]");
}

apr_status_t bl_admin_live(const bl_shm_t *shm, const bl_live_query_t *q,
                           bl_buf_t *out)
{
    bl_ms_t now = bl_clock_ms();
    bl_live_found_t found;
    int next;
    apr_status_t rv = bl_live_find(shm, q, now, &found);

    if (rv != APR_SUCCESS) return rv;
    put_head(&found, out);
    put_items(shm, &found, now, out);
    next = q->skip + found.count;
    if (found.count && next < found.matched)
        bl_buf_printf(out, ",\"next\":\"%d\"}\n", next);
    else
        bl_buf_puts(out, ",\"next\":null}\n");
    bl_live_found_release(&found);
    return bl_buf_status(out);
}

static void put_csv_row(const bl_slot_t *s, bl_ms_t now, bl_csv_t *csv)
{
    char id[BL_ID_TEXT + 1], at[BL_TIME_TEXT];

    bl_hex(id, s->id, BL_ID_BYTES);
    bl_csv_text(csv, id);
    bl_csv_text_n(csv, s->owner, strnlen(s->owner, sizeof(s->owner)));
    bl_csv_text_n(csv, s->app, strnlen(s->app, sizeof(s->app)));
    bl_csv_text_n(csv, s->transport,
                  strnlen(s->transport, sizeof(s->transport)));
    bl_csv_text_n(csv, s->client, strnlen(s->client, sizeof(s->client)));
    bl_csv_text(csv, bl_phase_name((bl_phase_t)s->phase));
    bl_csv_text(csv, bl_time_text(at, s->started_at));
    bl_csv_int(csv, now - s->started_ms);
    bl_csv_int(csv, s->first_content_ms);
    bl_csv_int(csv, now - s->last_event_ms);
    bl_csv_int(csv, (apr_int64_t)s->seq);
    bl_csv_int(csv, (apr_int64_t)s->bytes);
    bl_csv_int(csv, s->queue_bytes);
    bl_csv_int(csv, (apr_int64_t)s->heartbeats);
    bl_csv_int(csv, s->attempt > 1 ? s->attempt - 1 : 0);
    bl_csv_int(csv, s->readers);
    bl_csv_text_n(csv, s->key_last4,
                  strnlen(s->key_last4, sizeof(s->key_last4)));
    bl_csv_end_row(csv);
}

apr_status_t bl_admin_live_csv(const bl_shm_t *shm, const bl_live_query_t *q,
                               bl_buf_t *out)
{
    bl_ms_t now = bl_clock_ms();
    bl_live_found_t found;
    bl_csv_t csv;
    apr_status_t rv = bl_live_find(shm, q, now, &found);
    int i;

    if (rv != APR_SUCCESS) return rv;
    bl_csv_begin(&csv, out,
                 "id,owner,app,transport,client,phase,startedAt,ageMs,"
                 "firstContentMs,silentMs,events,bytes,queueBytes,heartbeats,"
                 "retries,readers,key");
    for (i = 0; i < found.count; i++)
        put_csv_row(&found.rows[i], now, &csv);
    bl_live_found_release(&found);
    return bl_buf_status(out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"
#include "live_query.h"
#include "base/clock.h"
#include "shm/stats.h"

#include <string.h>

static void head(bl_buf_t *out, const char *name, const char *type,
                 const char *help)
{
    bl_buf_printf(out, "# HELP bailian_%s %s\n# TYPE bailian_%s %s\n", name,
                  help, name, type);
}

static void gauge(bl_buf_t *out, const char *name, const char *help,
                  apr_uint64_t n)
{
    head(out, name, "gauge", help);
    bl_buf_printf(out, "bailian_%s %" APR_UINT64_T_FMT "\n", name, n);
}

static void labelled(bl_buf_t *out, const char *name, const char *label,
                     const char *value, apr_uint64_t n)
{
    bl_buf_printf(out, "bailian_%s{%s=\"%s\"} %" APR_UINT64_T_FMT "\n", name,
                  label, value, n);
}

static void milliseconds(bl_buf_t *out, apr_uint64_t ms)
{
    bl_buf_printf(out, "%" APR_UINT64_T_FMT ".%03u", ms / 1000,
                  (unsigned)(ms % 1000));
}

/* --- counters ----------------------------------------------------------- */

/* Those of outcomes are one metric with a label. */
static const struct {
    bl_counter_t which;
    const char *help;
} counters[] = {
    {BL_COUNT_STREAMS_STARTED, "Streams that were accepted."},
    {BL_COUNT_STREAMS_REFUSED, "Questions refused at a limit."},
    {BL_COUNT_ATTEMPTS, "Requests made to upstreams."},
    {BL_COUNT_RETRIES, "Attempts that were repeated."},
    {BL_COUNT_EVENTS, "Events of all streams."},
    {BL_COUNT_CONTENT_BYTES, "Bytes of text in answers."},
    {BL_COUNT_HEARTBEATS, "Heartbeats sent to readers."},
    {BL_COUNT_READERS_ATTACHED, "Readers that came."},
    {BL_COUNT_READERS_RESUMED, "Readers that came back with a place."},
    {BL_COUNT_READERS_PARKED, "Readers whose connection was parked."},
    {BL_COUNT_READERS_SYNC, "Readers that held a worker."},
    {BL_COUNT_READERS_GONE, "Readers that went before the end."},
    {BL_COUNT_READERS_SLOW, "Readers that took too little for too long."},
    {BL_COUNT_PAUSES, "Times an upstream was held back."},
    {BL_COUNT_LATE_CLOSES, "Upstreams that did not close after the end."},
    {BL_COUNT_DUPLICATES, "Upstream events that came twice."},
    {BL_COUNT_BAD_UTF8, "Bytes of bad UTF-8 from upstreams."},
    {BL_COUNT_UNREADABLE, "Upstream events that could not be read."},
    {BL_COUNT_INPUT_TOKENS, "Tokens of questions, as upstreams count."},
    {BL_COUNT_OUTPUT_TOKENS, "Tokens of answers, as upstreams count."},
    {BL_COUNT_REQUESTS_REFUSED, "Requests answered with a problem."},
    {BL_COUNT_MEMORY_REFUSED, "Questions refused for want of memory."},
    {BL_COUNT_MEMORY_ENDED, "Answers ended for want of memory."},
    {BL_COUNT_STORE_FAILURES,
     "Seconds in which the last transaction of a child had failed."}};

static void put_counters(const bl_shm_t *shm, bl_buf_t *out)
{
    size_t i;

    for (i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        const char *name = bl_counter_name(counters[i].which);

        bl_buf_printf(out, "# HELP bailian_%s_total %s\n", name,
                      counters[i].help);
        bl_buf_printf(out, "# TYPE bailian_%s_total counter\n", name);
        bl_buf_printf(out, "bailian_%s_total %" APR_UINT64_T_FMT "\n", name,
                      bl_stats_total(shm, (int)counters[i].which));
    }
}

static void put_outcomes(const bl_shm_t *shm, bl_buf_t *out)
{
    static const struct {
        const char *outcome;
        bl_counter_t which;
    } of[] = {{"completed", BL_COUNT_STREAMS_COMPLETED},
              {"length", BL_COUNT_STREAMS_LENGTH},
              {"cancelled", BL_COUNT_STREAMS_CANCELLED},
              {"timeout", BL_COUNT_STREAMS_TIMEOUT},
              {"error", BL_COUNT_STREAMS_ERROR},
              {"interrupted", BL_COUNT_STREAMS_INTERRUPTED}};
    size_t i;

    head(out, "streams_ended_total", "counter", "Streams by how they ended.");
    for (i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        labelled(out, "streams_ended_total", "outcome", of[i].outcome,
                 bl_stats_total(shm, (int)of[i].which));
    }
}

static void put_errors(const bl_shm_t *shm, const char *name, int words,
                       const char *help, bl_buf_t *out)
{
    int i;

    head(out, name, "counter", help);
    for (i = 0; i < BL_ERROR_LINES; i++) {
        apr_uint64_t n = bl_stats_total(shm, words + i);

        if (n) labelled(out, name, "class", bl_error_at(i)->code, n);
    }
}

/* --- first content ------------------------------------------------------ */

static void put_first_content(const bl_shm_t *shm, bl_buf_t *out)
{
    static const char name[] = "first_content_seconds";
    apr_uint64_t sum = 0;
    int i;

    head(out, name, "histogram", "From a question to its first content.");
    for (i = 0; i < BL_BUCKETS; i++) {
        sum += bl_stats_total(shm, BL_WORD_FIRST + i);
        bl_buf_printf(out, "bailian_%s_bucket{le=\"", name);
        if (bl_bucket_ms(i) < 0)
            bl_buf_puts(out, "+Inf");
        else
            milliseconds(out, (apr_uint64_t)bl_bucket_ms(i));
        bl_buf_printf(out, "\"} %" APR_UINT64_T_FMT "\n", sum);
    }
    bl_buf_printf(out, "bailian_%s_sum ", name);
    milliseconds(out, bl_stats_total(shm, BL_WORD_FIRST_MS));
    bl_buf_printf(out, "\nbailian_%s_count %" APR_UINT64_T_FMT "\n", name, sum);
}

/* --- gauges ------------------------------------------------------------- */

static apr_status_t put_live(const bl_shm_t *shm, bl_buf_t *out)
{
    bl_live_query_t q;
    bl_live_found_t found;
    apr_status_t rv;
    int i;

    bl_live_query_init(&q);
    q.limit = 0;
    rv = bl_live_find(shm, &q, bl_clock_ms(), &found);
    if (rv != APR_SUCCESS) return rv;
    bl_live_found_release(&found);
    head(out, "streams_live", "gauge", "Streams that run, by phase.");
    for (i = 0; i < BL_PHASES; i++) {
        labelled(out, "streams_live", "phase", bl_phase_name((bl_phase_t)i),
                 (apr_uint64_t)found.phases[i]);
    }
    return APR_SUCCESS;
}

static void put_children(const bl_shm_t *shm, bl_buf_t *out)
{
    apr_uint64_t serving = 0, draining = 0;
    apr_uint32_t longest = 0;
    int i;

    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        const bl_child_t *child = &shm->children[i];
        apr_uint32_t pid = bl_slot_get(child, pid);

        if (!pid || (pid & BL_CHILD_CLEANER)) continue;
        if (bl_slot_get(child, is_draining))
            draining++;
        else
            serving++;
        if (bl_slot_get(child, turn_longest_ms) > longest) {
            longest = bl_slot_get(child, turn_longest_ms);
        }
    }
    head(out, "children", "gauge", "Processes that serve, and that drain.");
    labelled(out, "children", "state", "serving", serving);
    labelled(out, "children", "state", "draining", draining);
    head(out, "reactor_turn_longest_seconds", "gauge",
         "Longest turn of any child's reactor.");
    bl_buf_puts(out, "bailian_reactor_turn_longest_seconds ");
    milliseconds(out, longest);
    bl_buf_puts(out, "\n");
}

static void put_memory(const bl_shm_t *shm, bl_buf_t *out)
{
    gauge(out, "memory_bytes",
          "What streams of all children hold: journals, queues, and 64 KiB "
          "each.",
          bl_stats_held(shm));
    gauge(out, "memory_budget_bytes", "BailianMemoryBudget; 0: there is none.",
          bl_stats_budget(shm));
}

static void put_store(const bl_store_health_t *store, bl_buf_t *out)
{
    gauge(out, "store_up", "1: the last transaction could be made.",
          store->last == APR_SUCCESS);
    gauge(out, "store_queue_requests",
          "Requests that wait to be written in the child that answers.",
          store->queued);
    gauge(out, "store_queue_bytes", "What they hold.", store->queued_bytes);
    gauge(out, "store_wal_bytes", "Size of the write-ahead log.",
          store->wal_bytes);
}

apr_status_t bl_admin_metrics(const bl_shm_t *shm,
                              const bl_store_health_t *store, bl_buf_t *out)
{
    apr_status_t rv;

    head(out, "build_info", "gauge", "Version of the module; always 1.");
    bl_buf_printf(out, "bailian_build_info{version=\"%s\",sqlite=\"%s\"} 1\n",
                  BL_VERSION, store->sqlite_version);
    rv = put_live(shm, out);
    if (rv != APR_SUCCESS) return rv;
    put_children(shm, out);
    put_memory(shm, out);
    put_store(store, out);
    put_counters(shm, out);
    put_outcomes(shm, out);
    put_errors(shm, "stream_errors_total", BL_WORD_ENDS,
               "Streams that did not end well, by class.", out);
    put_errors(shm, "attempt_errors_total", BL_WORD_ATTEMPTS,
               "Attempts at an upstream that failed, by class.", out);
    put_first_content(shm, out);
    return bl_buf_status(out);
}

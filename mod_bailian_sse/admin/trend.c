/* SPDX-License-Identifier: Apache-2.0 */
#include "trend.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "shm/stats.h"

#include <string.h>

#define WINDOW_STEPS 60

/* --- which series ------------------------------------------------------- */

/* Behind the words: what is made of several. */
enum { SERIES_LIVE = BL_WORDS, SERIES_P50, SERIES_P95, SERIES_ERRORS };

static const struct {
    const char *name;
    int series;
} made[] = {{"live", SERIES_LIVE},
            {"first_content_p50_ms", SERIES_P50},
            {"first_content_p95_ms", SERIES_P95},
            {"errors", SERIES_ERRORS}};

static int is_named(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && !strncmp(name, text, len);
}

/* "errors." or "attempts." and a code; -1: neither. */
static int series_of_code(const char *text, size_t len)
{
    static const struct {
        const char *prefix;
        int words;
    } of[] = {{"errors.", BL_WORD_ENDS}, {"attempts.", BL_WORD_ATTEMPTS}};
    size_t i;
    int k;

    for (i = 0; i < 2; i++) {
        size_t n = strlen(of[i].prefix);

        if (len <= n || strncmp(text, of[i].prefix, n)) continue;
        for (k = 0; k < BL_ERROR_LINES; k++) {
            if (is_named(bl_error_at(k)->code, text + n, len - n))
                return of[i].words + k;
        }
    }
    return -1;
}

static int series_of(const char *text, size_t len)
{
    size_t i;
    int k;

    for (i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        if (is_named(made[i].name, text, len)) return made[i].series;
    }
    for (k = 0; k < BL_COUNTERS; k++) {
        if (is_named(bl_counter_name((bl_counter_t)k), text, len)) return k;
    }
    return series_of_code(text, len);
}

/* --- values ------------------------------------------------------------- */

static apr_int64_t percentile_of(const bl_sample_t *s, int percent)
{
    apr_uint64_t buckets[BL_BUCKETS];
    int i;

    for (i = 0; i < BL_BUCKETS; i++)
        buckets[i] = bl_slot_get(s, counts[BL_WORD_FIRST + i]);
    return bl_bucket_percentile(buckets, percent);
}

static apr_int64_t errors_of(const bl_sample_t *s)
{
    apr_int64_t sum = 0;
    int i;

    for (i = 0; i < BL_ERROR_LINES; i++)
        sum += bl_slot_get(s, counts[BL_WORD_ENDS + i]);
    return sum;
}

/* -1: there is none. */
static apr_int64_t value_of(const bl_sample_t *s, int series)
{
    switch (series) {
    case SERIES_LIVE:
        return bl_slot_get(s, live);
    case SERIES_P50:
        return percentile_of(s, 50);
    case SERIES_P95:
        return percentile_of(s, 95);
    case SERIES_ERRORS:
        return errors_of(s);
    default:
        return bl_slot_get(s, counts[series]);
    }
}

static void put_series(const bl_shm_t *shm, bl_range_t range, int series,
                       apr_int64_t newest, bl_buf_t *out)
{
    int n = bl_trend_length(range), i;

    bl_buf_puts(out, "[");
    for (i = n - 1; i >= 0; i--) {
        const bl_sample_t *s = bl_trend_at(shm, range, newest - i);
        apr_int64_t value = s ? value_of(s, series) : -1;

        if (value < 0)
            bl_buf_puts(out, "null");
        else
            bl_buf_putu(out, (apr_uint64_t)value);
        if (i) bl_buf_puts(out, ",");
    }
    bl_buf_puts(out, "]");
}

/* errors.*: those that occurred. */
static void put_all_errors(const bl_shm_t *shm, bl_range_t range,
                           apr_int64_t newest, int *pn, bl_buf_t *out)
{
    apr_uint64_t sums[BL_WORDS];
    int i;

    bl_trend_sum(shm, range, bl_trend_length(range), sums);
    for (i = 0; i < BL_ERROR_LINES; i++) {
        if (!sums[BL_WORD_ENDS + i]) continue;
        bl_buf_printf(out, "%s\"errors.%s\":", (*pn)++ ? "," : "",
                      bl_error_at(i)->code);
        put_series(shm, range, BL_WORD_ENDS + i, newest, out);
    }
}

/* The clock that counts the steps is not the wall's. */
static apr_time_t wall_of(apr_int64_t step, bl_range_t range)
{
    bl_ms_t ago = bl_clock_ms() - step * bl_trend_step_ms(range);

    return bl_clock_wall() - ago * 1000;
}

apr_status_t bl_admin_trend(const bl_shm_t *shm, const char *names,
                            bl_range_t range, bl_buf_t *out)
{
    apr_int64_t newest = bl_trend_newest(shm, range);
    char from[BL_TIME_TEXT], to[BL_TIME_TEXT];
    int n = 0, series;

    bl_buf_printf(
        out,
        "{\"stepMs\":%" APR_INT64_T_FMT
        ",\"from\":\"%s\",\"to\":\"%s\",\"series\":{",
        bl_trend_step_ms(range),
        bl_time_text(from, wall_of(newest - bl_trend_length(range) + 1, range)),
        bl_time_text(to, wall_of(newest, range)));
    while (*names) {
        size_t len = strcspn(names, ",");

        if (is_named("errors.*", names, len)) {
            put_all_errors(shm, range, newest, &n, out);
        }
        else {
            series = series_of(names, len);
            if (series < 0) return BL_E_BAD_VALUE;
            bl_buf_printf(out, "%s\"", n++ ? "," : "");
            bl_buf_append(out, names, len);
            bl_buf_puts(out, "\":");
            put_series(shm, range, series, newest, out);
        }
        names += len + (names[len] == ',');
    }
    return bl_buf_puts(out, "}}\n");
}

/* --- what the overview shows -------------------------------------------- */

static void put_rate(bl_buf_t *out, const char *name, apr_uint64_t n,
                     int seconds)
{
    bl_buf_printf(out, ",\"%s\":%.2f", name,
                  seconds ? (double)n / seconds : 0.0);
}

static void put_percentile(bl_buf_t *out, const char *name,
                           const apr_uint64_t *sums, int percent)
{
    bl_ms_t ms = bl_bucket_percentile(sums + BL_WORD_FIRST, percent);

    if (ms < 0)
        bl_buf_printf(out, ",\"%s\":null", name);
    else
        bl_buf_printf(out, ",\"%s\":%" APR_INT64_T_FMT, name, ms);
}

static void put_errors(bl_buf_t *out, const apr_uint64_t *sums)
{
    int i, n = 0;

    bl_buf_puts(out, ",\"errors\":{");
    for (i = 0; i < BL_ERROR_LINES; i++) {
        if (!sums[BL_WORD_ENDS + i]) continue;
        bl_buf_printf(out, "%s\"%s\":%" APR_UINT64_T_FMT, n++ ? "," : "",
                      bl_error_at(i)->code, sums[BL_WORD_ENDS + i]);
    }
    bl_buf_puts(out, "}");
}

static void put_minute(const bl_shm_t *shm, bl_buf_t *out)
{
    apr_uint64_t sums[BL_WORDS];
    int n = bl_trend_sum(shm, BL_RANGE_MINUTES, WINDOW_STEPS, sums);

    bl_buf_printf(out, ",\"window\":{\"seconds\":%d", n);
    put_rate(out, "eventsPerSecond", sums[BL_COUNT_EVENTS], n);
    put_rate(out, "heartbeatsPerSecond", sums[BL_COUNT_HEARTBEATS], n);
    put_rate(out, "retriesPerSecond", sums[BL_COUNT_RETRIES], n);
    put_rate(out, "streamsPerSecond", sums[BL_COUNT_STREAMS_STARTED], n);
    put_rate(out, "tokensPerSecond",
             sums[BL_COUNT_INPUT_TOKENS] + sums[BL_COUNT_OUTPUT_TOKENS], n);
    put_percentile(out, "firstContentP50Ms", sums, 50);
    put_percentile(out, "firstContentP95Ms", sums, 95);
    put_errors(out, sums);
    bl_buf_puts(out, "}");
}

static void put_hour(const bl_shm_t *shm, bl_buf_t *out)
{
    apr_uint64_t sums[BL_WORDS];

    bl_trend_sum(shm, BL_RANGE_HOUR, BL_TREND_TENS, sums);
    bl_buf_printf(out,
                  ",\"lastHour\":{\"streams\":%" APR_UINT64_T_FMT
                  ",\"inputTokens\":%" APR_UINT64_T_FMT,
                  sums[BL_COUNT_STREAMS_STARTED], sums[BL_COUNT_INPUT_TOKENS]);
    bl_buf_printf(out, ",\"outputTokens\":%" APR_UINT64_T_FMT,
                  sums[BL_COUNT_OUTPUT_TOKENS]);
    put_percentile(out, "firstContentP50Ms", sums, 50);
    put_percentile(out, "firstContentP95Ms", sums, 95);
    put_errors(out, sums);
    bl_buf_puts(out, "}");
}

void bl_admin_put_window(const bl_shm_t *shm, bl_buf_t *out)
{
    put_minute(shm, out);
    put_hour(shm, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Does a rule of an alert fire? */
#include "alerts.h"
#include "base/errors.h"
#include "shm/stats.h"
#include "shm/targets.h"
#include "shm/trend.h"

#include <stdio.h>
#include <string.h>

#define STORE_WINDOW_S 10
#define PERCENTILE 95

/* The ring of seconds reaches back five minutes, that of tens an hour. */
static void sum_window(const bl_shm_t *shm, int seconds, apr_uint64_t *sums)
{
    if (seconds <= BL_TREND_SECONDS)
        bl_trend_sum(shm, BL_RANGE_MINUTES, seconds, sums);
    else
        bl_trend_sum(shm, BL_RANGE_HOUR, seconds / 10, sums);
}

/* Who stopped his answer had no error. */
static int look_errors(const bl_shm_t *shm, const bl_alert_t *a,
                       bl_finding_t *out)
{
    apr_uint64_t sums[BL_WORDS], bad, all;

    if (a->error_percent < 0) return 0;
    sum_window(shm, a->window_s, sums);
    bad = sums[BL_COUNT_STREAMS_TIMEOUT] + sums[BL_COUNT_STREAMS_ERROR] +
          sums[BL_COUNT_STREAMS_INTERRUPTED];
    all =
        bad + sums[BL_COUNT_STREAMS_COMPLETED] + sums[BL_COUNT_STREAMS_LENGTH];
    out->limit = a->error_percent;
    out->value = all ? (apr_int64_t)(bad * 100 / all) : 0;
    out->is_firing =
        all >= (apr_uint64_t)a->streams_least && out->value >= out->limit;
    snprintf(out->text, sizeof(out->text),
             "%d%% of %d streams failed in the last %d s (limit: %d%%).\n"
             "最近 %d 秒内 %d 个流中有 %d%% 失败（阈值 %d%%）。",
             (int)out->value, (int)all, a->window_s, a->error_percent,
             a->window_s, (int)all, (int)out->value, a->error_percent);
    return 1;
}

static int look_first_content(const bl_shm_t *shm, const bl_alert_t *a,
                              bl_finding_t *out)
{
    apr_uint64_t sums[BL_WORDS], n = 0;
    int i;

    if (a->first_content_ms < 0) return 0;
    sum_window(shm, a->window_s, sums);
    for (i = 0; i < BL_BUCKETS; i++)
        n += sums[BL_WORD_FIRST + i];
    out->limit = a->first_content_ms;
    out->value = bl_bucket_percentile(sums + BL_WORD_FIRST, PERCENTILE);
    out->is_firing =
        n >= (apr_uint64_t)a->streams_least && out->value >= out->limit;
    snprintf(out->text, sizeof(out->text),
             "The first content took %" APR_INT64_T_FMT " ms (95%% of %d "
             "answers took less) in the last %d s (limit: %d ms).\n"
             "最近 %d 秒内首个内容耗时 P95 为 %" APR_INT64_T_FMT
             " 毫秒（阈值 %d 毫秒）。",
             out->value, (int)n, a->window_s, (int)a->first_content_ms,
             a->window_s, out->value, (int)a->first_content_ms);
    return 1;
}

/* Appends ", name" as long as there is room. */
static void add_name(char *list, size_t size, const char *name)
{
    size_t len = strlen(list);

    snprintf(list + len, size - len, "%s%.60s", len ? ", " : "", name);
}

/* Refused keys, upstreams that fail, upstreams all of whose keys were refused.
 * A key that rests because of a limit comes back by itself. */
static int look_keys(const bl_shm_t *shm, const bl_catalog_t *catalog,
                     const bl_alert_t *a, bl_ms_t now, bl_finding_t *out)
{
    char keys[160] = "", upstreams[160] = "";
    bl_target_health_t h;
    int i, k, refused = 0, failing = 0;

    if (!a->has_keys) return 0;
    for (i = 0; i < catalog->upstream_count; i++) {
        const bl_upstream_t *u = &catalog->upstreams[i];
        int usable = 0;

        for (k = 0; k < u->key_count; k++) {
            bl_key_health(shm, u->keys[k].id, u->keys[k].version, now, &h);
            usable += h.state != BL_TARGET_REFUSED;
            if (h.state != BL_TARGET_REFUSED) continue;
            refused++;
            add_name(keys, sizeof(keys), u->keys[k].name);
        }
        bl_upstream_health(shm, u->id, now, &h);
        if (h.state != BL_TARGET_OPEN && (usable || !u->key_count)) continue;
        failing++;
        add_name(upstreams, sizeof(upstreams), u->name);
    }
    out->value = refused + failing;
    out->limit = 1;
    out->is_firing = out->value > 0;
    snprintf(out->text, sizeof(out->text),
             "%d keys refused (%s); %d upstreams fail or have no usable key "
             "(%s).\n被拒绝的密钥 %d 个，不可用的上游 %d 个。",
             refused, keys, failing, upstreams, refused, failing);
    return 1;
}

static int look_store(const bl_shm_t *shm, const bl_alert_t *a,
                      bl_finding_t *out)
{
    apr_uint64_t sums[BL_WORDS];

    if (!a->has_store) return 0;
    bl_trend_sum(shm, BL_RANGE_MINUTES, STORE_WINDOW_S, sums);
    out->value = (apr_int64_t)sums[BL_COUNT_STORE_FAILURES];
    out->limit = 1;
    out->is_firing = out->value > 0;
    snprintf(out->text, sizeof(out->text),
             out->is_firing ? "The database cannot be written: see the error "
                              "log.\n数据库无法写入，请查看错误日志。"
                            : "The database is written.\n数据库写入正常。");
    return 1;
}

int bl_rule_look(const bl_shm_t *shm, const bl_catalog_t *catalog,
                 const bl_alert_t *a, bl_rule_t rule, bl_ms_t now,
                 bl_finding_t *out)
{
    memset(out, 0, sizeof(*out));
    switch (rule) {
    case BL_RULE_ERRORS:
        return look_errors(shm, a, out);
    case BL_RULE_FIRST_CONTENT:
        return look_first_content(shm, a, out);
    case BL_RULE_KEYS:
        return look_keys(shm, catalog, a, now, out);
    default:
        return look_store(shm, a, out);
    }
}

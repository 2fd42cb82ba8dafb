/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <stdio.h>
#include <sys/resource.h>

#include "tool.h"

#define LLU(n) ((unsigned long long)(n))

static void put_hist(const char *name, const bench_hist_t *hist)
{
    printf(",\"%s\":{\"count\":%llu,\"mean_us\":%.1f,\"p50_us\":%.1f,"
           "\"p90_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,"
           "\"max_us\":%.1f}",
           name, LLU(hist->count),
           hist->count ? (double)hist->sum_ns / (double)hist->count / 1e3 : 0,
           (double)bench_hist_at(hist, 5000) / 1e3,
           (double)bench_hist_at(hist, 9000) / 1e3,
           (double)bench_hist_at(hist, 9900) / 1e3,
           (double)bench_hist_at(hist, 9990) / 1e3, (double)hist->max_ns / 1e3);
}

static double own_cpu(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void bench_report_tick(const bench_totals_t *totals,
                       const bench_expect_t *expect)
{
    printf("{\"type\":\"tick\",\"t_ns\":%llu,\"started\":%u,\"live\":%u,"
           "\"finished\":%u,\"events\":%llu,\"client_cpu_s\":%.3f}\n",
           LLU(bench_now_ns()), totals->started, totals->live, totals->finished,
           LLU(expect->total_events), own_cpu());
    fflush(stdout);
}

static void put_failures(const bench_totals_t *totals)
{
    const char *comma = "";
    uint32_t sum = 0;
    int i;

    printf(",\"failed\":{");
    for (i = 1; i < BENCH_FAIL_MAX; i++) {
        if (!totals->failures[i]) continue;
        sum += totals->failures[i];
        printf("%s\"%s\":%u", comma, bench_failure_names[i],
               totals->failures[i]);
        comma = ",";
    }
    printf("},\"failed_count\":%u,\"statuses\":{", sum);
    comma = "";
    for (i = 0; i < 600; i++) {
        if (!totals->statuses[i]) continue;
        printf("%s\"%d\":%u", comma, i, totals->statuses[i]);
        comma = ",";
    }
    printf("},\"example\":\"%s\"", totals->example);
}

void bench_report_end(const bench_order_t *order, const bench_totals_t *totals,
                      const bench_expect_t *expect)
{
    double wall_s = (double)(totals->ended_ns - totals->begun_ns) / 1e9;
    uint32_t i;

    printf("{\"type\":\"end\",\"dialect\":\"%s\",\"streams\":%u,"
           "\"requests\":%u,\"started\":%u,\"whole\":%u,\"aborted\":%u,"
           "\"stalled\":%u,\"closed_by_server\":%u,\"resumed\":%u,"
           "\"replayed\":%u,\"reconnected\":%u,\"sent_back\":%u",
           order->dialect == BENCH_CHAT ? "chat" : "bailian", order->streams,
           order->requests, totals->started, totals->whole, totals->aborted,
           totals->stalled, totals->closed_by_server, totals->resumed,
           totals->replayed, totals->reconnected, totals->sent_back);
    printf(",\"events\":%llu,\"bytes\":%llu,\"heartbeats\":%llu,"
           "\"wall_s\":%.3f,\"events_per_s\":%.0f,\"client_cpu_s\":%.3f",
           LLU(expect->total_events), LLU(expect->total_bytes),
           LLU(expect->heartbeats), wall_s,
           wall_s > 0 ? (double)expect->total_events / wall_s : 0, own_cpu());
    put_failures(totals);
    put_hist("delay", &expect->delay);
    put_hist("gap", &expect->gap);
    put_hist("first_event", &totals->first);
    put_hist("duration", &totals->duration);
    printf(",\"aborts\":[");
    for (i = 0; i < totals->aborted; i++)
        printf("%s[%llu,%llu]", i ? "," : "", LLU(totals->aborts[i].stream),
               LLU(totals->aborts[i].at_ns));
    printf("]}\n");
    fflush(stdout);
}

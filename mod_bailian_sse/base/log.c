/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"
#include "clock.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES 1024
#define GATE_MS 60000

static void to_stderr(bl_log_level_t level, apr_status_t rv, const char *line)
{
    static const char *const names[] = {"error", "warn", "info", "debug",
                                        "trace"};
    char text[128];

    if (rv == APR_SUCCESS) {
        fprintf(stderr, "[%s] %s\n", names[level], line);
    }
    else {
        fprintf(stderr, "[%s] (%d)%s: %s\n", names[level], rv,
                apr_strerror(rv, text, sizeof(text)), line);
    }
}

static bl_log_sink_fn *log_sink = to_stderr;
static bl_log_level_t log_most = BL_LOG_WARNING;

void bl_log_install(bl_log_sink_fn *sink, bl_log_level_t most)
{
    log_sink = sink ? sink : to_stderr;
    log_most = most;
}

bl_log_sink_fn *bl_log_set_sink(bl_log_sink_fn *sink)
{
    return __atomic_exchange_n(&log_sink, sink, __ATOMIC_ACQ_REL);
}

int bl_log_is_on(bl_log_level_t level)
{
    return level <= log_most;
}

void bl_log_write(bl_log_level_t level, apr_status_t rv, const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    __atomic_load_n(&log_sink, __ATOMIC_ACQUIRE)(level, rv, line);
}

const char *bl_log_safe(char *dst, size_t size, const char *src, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0, i;

    for (i = 0; i < len && src[i] && n + 5 < size; i++) {
        unsigned char c = (unsigned char)src[i];

        if (c >= 0x20 && c < 0x7f && c != '\\') {
            dst[n++] = (char)c;
            continue;
        }
        dst[n++] = '\\';
        dst[n++] = 'x';
        dst[n++] = hex[c >> 4];
        dst[n++] = hex[c & 15];
    }
    if (size) dst[n] = '\0';
    return dst;
}

unsigned bl_log_gate(bl_log_gate_t *gate)
{
    apr_int64_t now = bl_clock_ms();
    apr_int64_t next = __atomic_load_n(&gate->next_ms, __ATOMIC_RELAXED);

    if (now < next ||
        !__atomic_compare_exchange_n(&gate->next_ms, &next, now + GATE_MS, 0,
                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    {
        __atomic_add_fetch(&gate->suppressed, 1, __ATOMIC_RELAXED);
        return 0;
    }
    return 1 + __atomic_exchange_n(&gate->suppressed, 0, __ATOMIC_RELAXED);
}

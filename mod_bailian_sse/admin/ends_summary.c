/* SPDX-License-Identifier: Apache-2.0 */
/* How many streams ended how, over time; of ends.h. */
#include "ends.h"
#include "base/time_text.h"
#include "wire/json_write.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS 512 /* more names than that are "other" at once */
#define GROUPS_SHOWN 12
#define BUCKETS_MOST 1500

typedef struct group_t {
    char name[BL_NAME_BYTES];
    apr_int64_t count;
    apr_uint32_t *values;
} group_t;

typedef struct summary_t {
    int buckets;
    int count;
    group_t groups[GROUPS + 1]; /* the last one: "other" */
} summary_t;

int bl_admin_ends_by(const char *name, bl_ends_by_t *pby)
{
    static const char *const names[] = {"outcome",  "code", "app",
                                        "upstream", "key",  "attempts"};
    int i;

    for (i = 0; i < 6; i++) {
        if (strcmp(names[i], name)) continue;
        *pby = (bl_ends_by_t)i;
        return 1;
    }
    return 0;
}

static group_t *group_of(summary_t *s, const char *name)
{
    group_t *g;
    int i;

    for (i = 0; i < s->count; i++) {
        if (!strncmp(s->groups[i].name, name, BL_NAME_BYTES - 1))
            return &s->groups[i];
    }
    g = s->count < GROUPS ? &s->groups[s->count++] : &s->groups[GROUPS];
    if (g->values) return g;
    strncpy(g->name, g == &s->groups[GROUPS] ? "other" : name,
            sizeof(g->name) - 1);
    g->values = calloc((size_t)s->buckets, sizeof(*g->values));
    return g->values ? g : NULL;
}

static apr_status_t on_count(void *ctx, const char *name, int bucket,
                             apr_int64_t count)
{
    summary_t *s = ctx;
    group_t *g = group_of(s, name ? name : "");

    if (!g) return APR_ENOMEM;
    g->count += count;
    if (bucket >= 0 && bucket < s->buckets)
        g->values[bucket] += (apr_uint32_t)count;
    return APR_SUCCESS;
}

static int by_count(const void *a, const void *b)
{
    const group_t *x = a, *y = b;

    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Those that are not shown by themselves, as one. */
static void join_rest(summary_t *s)
{
    group_t *rest = &s->groups[GROUPS];
    int i, k;

    for (i = GROUPS_SHOWN; i < s->count; i++) {
        group_t *g = &s->groups[i];

        if (!rest->values) {
            rest->values = g->values;
            rest->count = g->count;
            strncpy(rest->name, "other", sizeof(rest->name) - 1);
            g->values = NULL;
            continue;
        }
        rest->count += g->count;
        for (k = 0; k < s->buckets; k++)
            rest->values[k] += g->values[k];
    }
}

static void put_group(const summary_t *s, const group_t *g, int is_first,
                      bl_buf_t *out)
{
    int i;

    bl_buf_puts(out, is_first ? "{\"name\":" : ",{\"name\":");
    bl_json_puts(out, g->name);
    bl_buf_printf(out, ",\"count\":%" APR_INT64_T_FMT ",\"values\":[",
                  g->count);
    for (i = 0; i < s->buckets; i++) {
        if (i) bl_buf_puts(out, ",");
        bl_buf_putu(out, g->values[i]);
    }
    bl_buf_puts(out, "]}");
}

static void put_groups(summary_t *s, bl_buf_t *out)
{
    int i;

    qsort(s->groups, (size_t)s->count, sizeof(s->groups[0]), by_count);
    join_rest(s);
    for (i = 0; i < s->count && i < GROUPS_SHOWN; i++)
        put_group(s, &s->groups[i], !i, out);
    if (s->groups[GROUPS].values) put_group(s, &s->groups[GROUPS], !i, out);
}

apr_status_t bl_admin_ends_summary(bl_store_t *store, const bl_ends_ask_t *ask,
                                   bl_ends_by_t by, apr_time_t bucket_us,
                                   bl_buf_t *out)
{
    apr_time_t n = (ask->to - ask->from + bucket_us - 1) / bucket_us;
    char from[BL_TIME_TEXT], to[BL_TIME_TEXT];
    summary_t *s;
    apr_status_t rv;
    int i;

    if (n < 1 || n > BUCKETS_MOST) return BL_E_BAD_VALUE;
    s = calloc(1, sizeof(*s));
    if (!s) return APR_ENOMEM;
    s->buckets = (int)n;
    rv = bl_store_end_counts(store, ask, by, bucket_us, on_count, s);
    if (rv == APR_SUCCESS) {
        bl_buf_printf(out,
                      "{\"from\":\"%s\",\"to\":\"%s\",\"bucketMs\":"
                      "%" APR_INT64_T_FMT ",\"groups\":[",
                      bl_time_text(from, ask->from), bl_time_text(to, ask->to),
                      bucket_us / 1000);
        put_groups(s, out);
        rv = bl_buf_puts(out, "]}\n");
    }
    for (i = 0; i <= GROUPS; i++)
        free(s->groups[i].values);
    free(s);
    return rv;
}

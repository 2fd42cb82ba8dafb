/* SPDX-License-Identifier: Apache-2.0 */
/* admin_path - api/pathcheck: ticks through the real path to a browser, and
 * what this side knows of the path. */
#include "admin.h"
#include "feed.h"
#include "park.h"
#include "base/clock.h"
#include "wire/json_write.h"

#include <stdlib.h>
#include <string.h>

#define PATH_BYTES (64 * 1024)

typedef struct ticks_t {
    bl_buf_t path; /* the first event */
    int n, of;
    bl_ms_t every_ms, begun_ms;
} ticks_t;

/* --- ticks -------------------------------------------------------------- */

static apr_status_t make_tick(void *ctx, bl_buf_t *out, bl_ms_t *pwait_ms)
{
    ticks_t *t = ctx;
    bl_ms_t now = bl_clock_ms();

    if (!t->n) {
        t->begun_ms = now;
        bl_buf_append(out, t->path.data, t->path.len);
    }
    t->n++;
    bl_buf_printf(out,
                  "event: tick\ndata: {\"n\":%d,\"of\":%d,\"sentMs\":"
                  "%" APR_INT64_T_FMT "}\n\n",
                  t->n, t->of, now - t->begun_ms);
    *pwait_ms = t->begun_ms + t->n * t->every_ms - now;
    if (*pwait_ms < 1) *pwait_ms = 1;
    if (t->n < t->of) return bl_buf_status(out);
    bl_buf_puts(out, "event: done\ndata: {}\n\n");
    return bl_buf_status(out) == APR_SUCCESS ? APR_EOF : APR_ENOMEM;
}

static void destroy_ticks(void *ctx)
{
    ticks_t *t = ctx;

    bl_buf_release(&t->path);
    free(t);
}

/* --- what this side knows ----------------------------------------------- */

static void put_filters(request_rec *r, bl_buf_t *out)
{
    ap_filter_t *f;
    int n = 0;

    bl_buf_puts(out, ",\"filters\":[");
    for (f = r->output_filters; f; f = f->next) {
        if (n++) bl_buf_puts(out, ",");
        bl_json_puts(out, f->frec->name);
    }
    bl_buf_puts(out, "]");
}

/* Who says that he stands between: his own words, cut. */
static int put_proxies(request_rec *r, bl_buf_t *out)
{
    static const char *const headers[] = {"Via", "Forwarded", "X-Forwarded-For",
                                          "X-Real-IP"};
    size_t i;
    int n = 0;

    bl_buf_puts(out, ",\"proxies\":[");
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const char *value = apr_table_get(r->headers_in, headers[i]);

        if (!value) continue;
        bl_buf_puts(out, n++ ? "," : "");
        bl_json_puts(out, apr_psprintf(r->pool, "%s: %.80s", headers[i],
                                       ap_escape_logitem(r->pool, value)));
    }
    bl_buf_puts(out, "]");
    return n;
}

static void put_sentence(bl_buf_t *out, const char *en, int is_zh)
{
    bl_said_t said;
    char text[BL_SAY_TEXT];

    bl_say(&said, en);
    bl_said_text(&said, is_zh, NULL, text);
    bl_json_puts(out, text);
}

static void put_hint(bl_buf_t *out, int is_zh, int *pn, const char *en,
                     const char *fix)
{
    bl_buf_printf(out, "%s{\"code\":\"%s\",\"detail\":", (*pn)++ ? "," : "",
                  bl_say_code(en));
    put_sentence(out, en, is_zh);
    bl_buf_puts(out, ",\"fix\":");
    put_sentence(out, fix, is_zh);
    bl_buf_puts(out, "}");
}

static void put_hints(bl_admin_call_t *a, int is_parked, int proxies,
                      bl_buf_t *out)
{
    request_rec *r = a->r;
    int is_zh = a->call->lang == BL_LANG_ZH, n = 0;

    bl_buf_puts(out, ",\"hints\":[");
    if (proxies) {
        put_hint(out, is_zh, &n,
                 BL_SAY("A proxy stands between this server and the browser."),
                 BL_SAY("Let it pass events on at once. nginx: proxy_buffering "
                        "off; proxy_http_version 1.1; proxy_read_timeout 300s. "
                        "httpd: ProxyPass ... flushpackets=on"));
    }
    if (r->proto_num < HTTP_VERSION(1, 1)) {
        put_hint(
            out, is_zh, &n,
            BL_SAY("The request came as HTTP/1.0: the answer has no chunks, "
                   "and what stands between may wait for its end."),
            BL_SAY("nginx: proxy_http_version 1.1"));
    }
    if (!is_parked) {
        put_hint(
            out, is_zh, &n,
            r->connection->master
                ? BL_SAY("HTTP/2: each stream holds a worker thread.")
                : BL_SAY("This connection holds a worker thread while it "
                         "streams."),
            BL_SAY("Use the event MPM of httpd 2.4.63 or newer, BailianAsync "
                   "auto, and no filter that may wait in the output chain."));
    }
    bl_buf_puts(out, "]");
}

static void put_path(bl_admin_call_t *a, bl_buf_t *out)
{
    request_rec *r = a->r;
    int is_parked =
        a->call->conf.async != BL_ASYNC_SYNC && bl_park_is_possible(r);
    int proxies;

    bl_buf_printf(out,
                  "event: path\ndata: {\"parked\":%s,\"http2\":%s,"
                  "\"tls\":%s",
                  is_parked ? "true" : "false",
                  r->connection->master ? "true" : "false",
                  !strcmp(ap_http_scheme(r), "https") ? "true" : "false");
    put_filters(r, out);
    proxies = put_proxies(r, out);
    put_hints(a, is_parked, proxies, out);
    bl_buf_puts(out, "}\n\n");
}

int bl_admin_pathcheck(bl_admin_call_t *a)
{
    apr_int64_t ticks = 20, every = 250;
    bl_feed_source_t source = {make_tick, destroy_ticks, NULL};
    ticks_t *t;
    int rc;

    if (!bl_admin_number(a, "ticks", 2, 100, &ticks, &rc) ||
        !bl_admin_number(a, "everyMs", 50, 2000, &every, &rc))
    {
        return rc;
    }
    t = calloc(1, sizeof(*t));
    if (!t) return bl_admin_problem(a, APR_ENOMEM, NULL, NULL);
    t->of = (int)ticks;
    t->every_ms = every;
    bl_buf_init(&t->path, PATH_BYTES);
    put_path(a, &t->path);
    source.ctx = t;
    return bl_feed_serve(a->r, a->call, &source);
}

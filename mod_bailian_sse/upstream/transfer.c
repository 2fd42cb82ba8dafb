/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"
#include "wire/sse_parser.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SPARE_HANDLES 64    /* kept for the next transfers of this child */
#define RECEIVE_BYTES 16384 /* httpd-async.md 6: touched only when used */
/* What curl keeps, and the next read. */
#define AHEAD_BYTES (2 * RECEIVE_BYTES)
#define CONNECTION_LIFE_S 600L /* S-35 */
#define CONNECTION_IDLE_S 55L  /* gateways close after 60 s: U31 */
#define RETRY_AFTER_MOST_S 3600
/* Of what an event uses, as far as it can be known here: the beginning of a
 * dialect's state and of curl's handle, and of its buffer the data and what is
 * before. */
#define STATE_BYTES 256
#define EASY_BYTES 640
#define CHUNK_HEAD 8
#define DATA_BYTES 512

struct bl_transfer_t {
    bl_transfer_plan_t plan;
    bl_exchange_t exchange;
    CURL *easy;
    struct curl_slist *headers;
    void *state; /* the dialect's */
    bl_sse_parser_t parser;
    bl_buf_t body; /* of an answer that is not SSE */
    size_t header_bytes;
    int http;
    int is_alone; /* on its connection: not HTTP/2 */
    int is_sse;
    int is_json;
    int is_encoded; /* Content-Encoding although none was asked for: U25 */
    int has_body;
    int has_length; /* Content-Length */
    int is_answered;
    int is_paused;
    int is_refused_address;
    int has_address; /* the name was resolved: a connection was tried */
    int is_connected;
    apr_status_t failure; /* why a callback stopped the transfer */
    bl_ms_t retry_after_ms;
    char request_id[64];
};

/* Of the reactor's thread. */
static CURL *spares[SPARE_HANDLES];
static int spare_count;

static CURL *take_easy(void)
{
    return spare_count ? spares[--spare_count] : curl_easy_init();
}

static void give_easy(CURL *easy)
{
    if (spare_count == SPARE_HANDLES) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    spares[spare_count++] = easy;
}

void bl_transfer_rt_forget_spares(void)
{
    while (spare_count)
        curl_easy_cleanup(spares[--spare_count]);
}

/* --- curl's results -> classes: here and nowhere else ------------------- */

/* A proxy that was asked for a tunnel and answered something else. */
static int has_no_tunnel(const bl_transfer_t *t)
{
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return status && status / 100 != 2;
}

static apr_status_t class_of(const bl_transfer_t *t, CURLcode code)
{
    if (t->failure != APR_SUCCESS) return t->failure;
    switch (code) {
    case CURLE_OK:
        return APR_SUCCESS;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return BL_E_UPSTREAM_DNS;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return t->is_refused_address ? BL_E_UPSTREAM_DNS
                                     : BL_E_UPSTREAM_CONNECT;
    case CURLE_OPERATION_TIMEDOUT:
        if (t->is_connected) return BL_E_UPSTREAM_FIRST_TIMEOUT;
        return t->has_address ? BL_E_UPSTREAM_CONNECT : BL_E_UPSTREAM_DNS;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
        return BL_E_UPSTREAM_TLS;
    case CURLE_RECV_ERROR:
        return has_no_tunnel(t) ? BL_E_UPSTREAM_CONNECT : BL_E_UPSTREAM_CUT;
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return BL_E_UPSTREAM_CUT;
    case CURLE_OUT_OF_MEMORY:
        /* Also curl's word for a header line above its own limit (U27). */
        return t->header_bytes && !t->has_body ? BL_E_UPSTREAM_GARBAGE
                                               : BL_E_OVERLOADED;
    default:
        return BL_E_UPSTREAM_GARBAGE;
    }
}

/* --- response headers --------------------------------------------------- */

/* The value of header `name` in line, trimmed; NULL when it is another one. */
static const char *header_value(const char *line, size_t len, const char *name,
                                size_t *pvalue_len)
{
    size_t n = strlen(name);

    if (len <= n || line[n] != ':' || strncasecmp(line, name, n)) return NULL;
    line += n + 1;
    len -= n + 1;
    while (len && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    while (len && (line[len - 1] == '\r' || line[len - 1] == '\n' ||
                   line[len - 1] == ' '))
    {
        len--;
    }
    *pvalue_len = len;
    return line;
}

static int begins_with(const char *value, size_t len, const char *what)
{
    size_t n = strlen(what);

    return len >= n && !strncasecmp(value, what, n);
}

/* Seconds, or an HTTP date; what cannot be read counts as absent (U06). */
static bl_ms_t retry_after(const char *value, size_t len)
{
    char text[64];
    char *end;
    long seconds;

    if (!len || len >= sizeof(text)) return -1;
    memcpy(text, value, len);
    text[len] = '\0';
    seconds = strtol(text, &end, 10);
    if (end == text || *end) {
        time_t at = curl_getdate(text, NULL);

        if (at == (time_t)-1) return -1;
        seconds = (long)(at - time(NULL));
    }
    if (seconds < 0) return -1;
    if (seconds > RETRY_AFTER_MOST_S) seconds = RETRY_AFTER_MOST_S;
    return (bl_ms_t)seconds * 1000;
}

static void status_line(bl_transfer_t *t)
{
    long http = 0, version = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http);
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    t->http = (int)http;
    t->is_alone = version <= CURL_HTTP_VERSION_1_1;
    t->is_sse = t->is_json = t->is_encoded = t->has_length = 0;
    t->retry_after_ms = -1;
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    bl_transfer_t *t = ctx;
    size_t len = size * n, vlen;
    const char *v;

    t->is_connected = 1;
    t->header_bytes += len;
    if (t->header_bytes > BL_MAX_UPSTREAM_HEADER_BYTES) {
        t->failure = BL_E_UPSTREAM_GARBAGE;
        return 0;
    }
    if (len > 5 && !strncasecmp(line, "HTTP/", 5)) {
        status_line(t); /* also after a 1xx: starts anew */
        if (t->http == 101) {
            t->failure = BL_E_UPSTREAM_GARBAGE; /* nothing was offered: U09 */
            return 0;
        }
    }
    else if ((v = header_value(line, len, "Content-Type", &vlen))) {
        t->is_sse = begins_with(v, vlen, "text/event-stream");
        t->is_json = begins_with(v, vlen, "application/json");
    }
    else if ((v = header_value(line, len, "Content-Encoding", &vlen))) {
        t->is_encoded = !begins_with(v, vlen, "identity");
    }
    else if (header_value(line, len, "Content-Length", &vlen)) {
        t->has_length = 1;
    }
    else if (len <= 2 && t->is_sse && t->has_length) {
        /* No service says the length of a stream; when it is too small, the
         * rest would be read as the next answer on this connection (U16). */
        curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
    }
    else if ((v = header_value(line, len, "Retry-After", &vlen))) {
        t->retry_after_ms = retry_after(v, vlen);
    }
    else if ((v = header_value(line, len, "x-request-id", &vlen))) {
        bl_log_safe(t->request_id, sizeof(t->request_id), v, vlen);
    }
    return len;
}

/* --- the body ----------------------------------------------------------- */

static apr_status_t on_event(void *ctx, const bl_sse_event_t *ev)
{
    bl_transfer_t *t = ctx;
    bl_sse_event_t told = *ev;
    apr_status_t rv;

    /* An error as SSE need not say its status in a line of its own. */
    if (!told.http_status && t->http != 200) told.http_status = t->http;
    rv = t->plan.dialect->event(t->state, &told);
    if (rv == APR_SUCCESS) t->plan.progress(t->plan.ctx);
    if (rv == APR_EAGAIN) return APR_SUCCESS;
    if (rv == APR_EOF) t->is_answered = 1;
    return rv;
}

static apr_status_t take_sse(bl_transfer_t *t, const char *data, size_t len)
{
    apr_status_t rv = bl_sse_parser_feed(&t->parser, data, len, on_event, t);

    if (t->is_answered) t->plan.answered(t->plan.ctx);
    return rv;
}

/* An error's body is read to its ceiling, the rest is dropped (U08). */
static apr_status_t take_body(bl_transfer_t *t, const char *data, size_t len)
{
    size_t most =
        t->http == 200 ? BL_MAX_ANSWER_BYTES : BL_MAX_ERROR_BODY_BYTES;

    if (t->body.len + len > most) {
        if (t->http == 200) return BL_E_UPSTREAM_TOO_LARGE;
        len = most - t->body.len;
    }
    return bl_buf_append(&t->body, data, len);
}

/* Before the read that would be too much: what curl has read when it is told to
 * pause it copies. It reads up to a hundred times before it looks at anything
 * else, and once more after a pause of one direction alone. HTTP/2 reads for
 * several: there what came for this one is kept. */
static void pause_if_nearly_blocked(bl_transfer_t *t)
{
    if (t->http != 200 || t->is_answered || !t->is_alone ||
        !t->plan.is_blocked(t->plan.ctx, AHEAD_BYTES))
    {
        return;
    }
    t->is_paused = 1;
    curl_easy_pause(t->easy, CURLPAUSE_ALL);
}

/* What a read touches, of curl's as well: warm.h. */
static void note_used(const bl_transfer_t *t, const char *data, size_t len)
{
    bl_reactor_t *r = t->plan.reactor;

    bl_reactor_rt_used(r, t->easy, EASY_BYTES);
    bl_reactor_rt_used(r, data - CHUNK_HEAD,
                       len < DATA_BYTES ? CHUNK_HEAD + len : DATA_BYTES);
    bl_reactor_rt_used(r, t, offsetof(bl_transfer_t, request_id));
    bl_reactor_rt_used(r, t->state, STATE_BYTES);
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    bl_transfer_t *t = ctx;
    size_t len = size * n;
    apr_status_t rv;

    t->has_body = 1;
    if (bl_reactor_rt_is_noting(t->plan.reactor)) note_used(t, data, len);
    if (t->is_answered) return len; /* what follows the end is ignored: U21 */
    if (t->is_encoded) {
        rv = BL_E_UPSTREAM_GARBAGE;
    }
    else if (t->is_sse) {
        if (t->http == 200 && t->plan.is_blocked(t->plan.ctx, 0)) {
            t->is_paused = 1;
            return CURL_WRITEFUNC_PAUSE;
        }
        rv = take_sse(t, data, len);
        if (rv == APR_SUCCESS) pause_if_nearly_blocked(t);
    }
    else {
        rv = take_body(t, data, len);
    }
    if (rv == APR_SUCCESS) return len;
    t->failure = rv;
    return 0;
}

/* --- the end ------------------------------------------------------------ */

/* What the whole exchange came to, when curl has nothing against it. */
static apr_status_t judge(bl_transfer_t *t)
{
    apr_status_t rv;

    if (t->is_answered) return APR_SUCCESS;
    if (t->is_sse) {
        rv = bl_sse_parser_end(&t->parser, on_event, t);
        if (t->is_answered) {
            t->plan.answered(t->plan.ctx);
            return APR_SUCCESS;
        }
        if (rv != APR_SUCCESS) return rv;
        if (t->http != 200) return bl_class_of_http(t->http);
        return t->plan.dialect->finish(t->state);
    }
    if (t->http == 200 && !t->is_json && !t->plan.dialect->takes_any_type) {
        return BL_E_UPSTREAM_GARBAGE;
    }
    if (t->http == 101 || (t->http >= 300 && t->http < 400)) {
        return BL_E_UPSTREAM_GARBAGE; /* redirects are never followed: U09 */
    }
    rv = t->plan.dialect->body(t->state, t->http, t->body.data, t->body.len);
    if (rv == APR_EOF) {
        t->is_answered = 1;
        t->plan.answered(t->plan.ctx);
        return APR_SUCCESS;
    }
    return rv == APR_SUCCESS ? BL_E_UPSTREAM_GARBAGE : rv;
}

static void on_done(void *ctx, CURLcode code)
{
    bl_transfer_t *t = ctx;
    apr_status_t rv;

    /* After the end marker nothing that happens to the connection matters. */
    if (t->is_answered)
        rv = APR_SUCCESS;
    else
        rv = class_of(t, code);
    if (rv == APR_SUCCESS)
        rv = judge(t);
    else if (t->failure == APR_SUCCESS && t->http >= 400) {
        /* Cut while it told its error: the status is the better word. */
        rv = bl_class_of_http(t->http);
    }
    if (rv != APR_SUCCESS) {
        bl_log(BL_LOG_DEBUG, 0,
               BL_LOGNO(1601) "transfer ended as %s: curl %d, http %d",
               bl_error(rv)->code, (int)code, t->http);
    }
    t->plan.done(t->plan.ctx, rv);
}

/* --- the start ---------------------------------------------------------- */

/* S-32: judged for every attempt, on the address that is really used. */
static curl_socket_t on_open_socket(void *ctx, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    bl_transfer_t *t = ctx;

    (void)purpose;
    t->has_address = 1;
    if (!bl_address_is_allowed(t->plan.allowed, &address->addr)) {
        t->is_refused_address = 1;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static apr_status_t check_target(const bl_transfer_plan_t *plan,
                                 const char *scheme, const char *host,
                                 const char *port)
{
    /* S-32: behind a proxy only what the URL itself says can be judged. */
    if (plan->proxy && !bl_host_is_allowed(plan->allowed, host)) {
        return BL_E_UPSTREAM_DNS;
    }
    if (!strcmp(scheme, "https") ||
        (!strcmp(scheme, "http") &&
         bl_plain_is_allowed(plan->allowed, host, (int)strtol(port, NULL, 10))))
    {
        return APR_SUCCESS;
    }
    bl_log(BL_LOG_WARNING, 0,
           BL_LOGNO(1602) "refused to speak plain HTTP to an upstream: "
                          "name it in BailianAllowPlainHttp, or use https");
    return BL_E_UPSTREAM_CONNECT;
}

/* S-31: judged by the parser that also connects. */
static apr_status_t check_url(const bl_transfer_plan_t *plan, const char *url)
{
    CURLU *u = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLUcode rc;
    apr_status_t rv = BL_E_UPSTREAM_CONNECT;

    if (!u) return APR_ENOMEM;
    rc = curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (!rc) rc = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    if (!rc) rc = curl_url_get(u, CURLUPART_HOST, &host, 0);
    if (!rc) rc = curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (!rc) rv = check_target(plan, scheme, host, port);
    if (rc == CURLUE_OUT_OF_MEMORY) rv = APR_ENOMEM;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return rv;
}

static apr_status_t add_header(bl_transfer_t *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->headers, line);

    if (!more) return APR_ENOMEM;
    t->headers = more;
    return APR_SUCCESS;
}

static apr_status_t add_secret(bl_transfer_t *t, const char *secret)
{
    bl_buf_t line;
    const char *text;
    apr_status_t rv;

    bl_buf_init(&line, BL_MAX_HEADER_BYTES);
    bl_buf_puts(&line, "Authorization: Bearer ");
    bl_buf_puts(&line, secret);
    text = bl_buf_str(&line);
    rv = text ? add_header(t, text) : APR_ENOMEM;
    if (line.data) bl_secret_wipe(line.data, line.size);
    bl_buf_release(&line);
    return rv;
}

/* request->headers: "Name: value\n" each. */
static apr_status_t add_headers(bl_transfer_t *t)
{
    const bl_buf_t *all = &t->plan.request->headers;
    const char *at = all->data, *end = all->data + all->len, *lf;
    char line[BL_MAX_HEADER_BYTES];
    apr_status_t rv = APR_SUCCESS;

    for (; rv == APR_SUCCESS && at < end; at = lf + 1) {
        lf = memchr(at, '\n', (size_t)(end - at));
        if (!lf || (size_t)(lf - at) >= sizeof(line)) return BL_E_INTERNAL;
        memcpy(line, at, (size_t)(lf - at));
        line[lf - at] = '\0';
        rv = add_header(t, line);
    }
    /* curl's own habit of waiting for a 100 costs a round trip. */
    if (rv == APR_SUCCESS) rv = add_header(t, "Expect:");
    if (rv == APR_SUCCESS && t->plan.secret) {
        rv = add_secret(t, t->plan.secret);
    }
    return rv;
}

/* What an option holds is copied: without memory for it the option is not set,
 * and then nothing is sent (S-33, R02). */
static apr_status_t set_safety(CURL *easy, const bl_transfer_plan_t *plan)
{
    int failed = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");

    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    failed |=
        curl_easy_setopt(easy, CURLOPT_PROXY, plan->proxy ? plan->proxy : "");
    failed |= curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    /* What a proxy says of its tunnel is not the upstream's head. */
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (plan->ca_file) {
        failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, plan->ca_file);
    }
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* A transfer that ends while its name is looked up leaves the thread that
     * looks to itself. The reactor would wait for it: as long as the name
     * service does not answer no stream of this child would go on (U02). */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return failed ? BL_E_OVERLOADED : APR_SUCCESS;
}

static apr_status_t set_up(bl_transfer_t *t, const char *url)
{
    const bl_transfer_plan_t *plan = &t->plan;
    CURL *easy = t->easy;
    apr_status_t rv = set_safety(easy, plan);

    if (curl_easy_setopt(easy, CURLOPT_URL, url)) rv = BL_E_OVERLOADED;
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)plan->request->body.len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, plan->request->body.data);
    if (!plan->request->body.len) curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &t->exchange);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)plan->connect_ms);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    /* Never wait for another stream's connection to turn out to be HTTP/2:
     * when it is HTTP/1.1 after all, curl 7.88 wakes one of those that wait and
     * leaves the others. Connections that are known to be are shared anyway. */
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     plan->use_http2 ? (long)CURL_HTTP_VERSION_2TLS
                                     : (long)CURL_HTTP_VERSION_1_1);
    return rv;
}

static void wipe_headers(struct curl_slist *headers)
{
    struct curl_slist *at;

    for (at = headers; at; at = at->next)
        bl_secret_wipe(at->data, strlen(at->data));
    curl_slist_free_all(headers);
}

static apr_status_t drop_event(void *ctx, const bl_event_t *ev)
{
    (void)ctx;
    (void)ev;
    return APR_SUCCESS;
}

static int is_never_blocked(void *ctx, size_t more)
{
    (void)ctx;
    (void)more;
    return 0;
}

static void ignore_news(void *ctx)
{
    (void)ctx; /* the end is told by done */
}

void bl_transfer_plan_no_reader(bl_transfer_plan_t *plan)
{
    plan->out.emit = drop_event;
    plan->out.ctx = plan->ctx;
    plan->is_blocked = is_never_blocked;
    plan->progress = plan->answered = ignore_news;
}

apr_status_t bl_transfer_rt_start(bl_transfer_t **pt,
                                  const bl_transfer_plan_t *plan)
{
    bl_transfer_t *t = calloc(1, sizeof(*t));
    const char *url;
    apr_status_t rv;

    *pt = NULL;
    if (!t) return APR_ENOMEM;
    t->plan = *plan;
    t->retry_after_ms = -1;
    t->exchange.done = on_done;
    t->exchange.ctx = t;
    bl_buf_init(&t->body, BL_MAX_ANSWER_BYTES);
    bl_buf_count(&t->body, plan->budget);
    bl_sse_parser_init(&t->parser, plan->target->event_limit
                                       ? plan->target->event_limit
                                       : BL_MAX_EVENT_BYTES);
    bl_buf_count(&t->parser.held, plan->budget);
    url = bl_buf_str((bl_buf_t *)&plan->request->url);
    rv = url ? check_url(plan, url) : APR_ENOMEM;
    if (rv != APR_SUCCESS) goto leave;
    rv = plan->dialect->open(&t->state, plan->target, &t->plan.out,
                             plan->answer);
    if (rv == APR_SUCCESS) rv = add_headers(t);
    if (rv == APR_SUCCESS && !(t->easy = take_easy())) rv = APR_ENOMEM;
    if (rv != APR_SUCCESS) goto leave;
    rv = set_up(t, url);
    if (rv == APR_SUCCESS) {
        rv = bl_reactor_rt_add_easy(plan->reactor, t->easy);
    }
    if (rv != APR_SUCCESS) {
        give_easy(t->easy);
        t->easy = NULL;
    }
leave:
    if (rv != APR_SUCCESS)
        bl_transfer_rt_destroy(t);
    else
        *pt = t;
    return rv;
}

void bl_transfer_rt_destroy(bl_transfer_t *t)
{
    if (!t) return;
    if (t->easy) {
        bl_reactor_rt_remove_easy(t->plan.reactor, t->easy);
        give_easy(t->easy);
    }
    if (t->state) t->plan.dialect->close(t->state);
    bl_sse_parser_release(&t->parser);
    bl_buf_release(&t->body);
    wipe_headers(t->headers);
    free(t);
}

void bl_transfer_rt_resume(bl_transfer_t *t)
{
    if (!t->is_paused) return;
    t->is_paused = 0;
    bl_reactor_rt_resume_easy(t->plan.reactor, t->easy);
}

int bl_transfer_rt_is_paused(const bl_transfer_t *t)
{
    return t->is_paused;
}

int bl_transfer_http_status(const bl_transfer_t *t)
{
    return t->http;
}

const char *bl_transfer_request_id(const bl_transfer_t *t)
{
    return t->request_id;
}

bl_ms_t bl_transfer_retry_after_ms(const bl_transfer_t *t)
{
    return t->retry_after_ms;
}

int bl_transfer_is_connected(const bl_transfer_t *t)
{
    return t->is_connected;
}

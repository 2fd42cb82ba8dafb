/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange with an upstream, against a scripted one on loopback. */
#include "core.h"
#include "upstream_stub.h"

#include "upstream/transfer.h"

#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <time.h>

#define SECRET "sk-canary-4711"

static bl_reactor_t *reactor;
static stub_t stub;
static bl_allowed_t allowed;

typedef struct exchange_t {
    bl_target_t target;
    bl_request_t request;
    bl_answer_t answer;
    bl_transfer_plan_t plan;
    bl_transfer_t *transfer;
    char base_url[128];
    char *text; /* of deltas */
    size_t text_len;
    int progressed;
    int answered;    /* atomic */
    int is_blocked;  /* atomic */
    int was_blocked; /* atomic: somebody asked while it was */
    size_t limit;    /* reactor: what may come before it is; 0 = all */
    int was_late;    /* reactor: what was read already was too much */
    int done;        /* atomic */
    apr_status_t rv;
    int http;
    bl_ms_t retry_after_ms;
    char request_id[64];
    apr_status_t started;
} exchange_t;

#define TEXT_BYTES (8 * 1024 * 1024)

static apr_status_t emit(void *ctx, const bl_event_t *ev)
{
    exchange_t *x = ctx;

    if (ev->kind != BL_EV_DELTA) return APR_SUCCESS;
    if (x->text_len + ev->text_len > TEXT_BYTES) return APR_ENOSPC;
    memcpy(x->text + x->text_len, ev->text, ev->text_len);
    __atomic_add_fetch(&x->text_len, ev->text_len, __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

static int blocked(void *ctx, size_t more)
{
    exchange_t *x = ctx;
    int is_so = __atomic_load_n(&x->is_blocked, __ATOMIC_ACQUIRE) ||
                (x->limit && x->text_len + more >= x->limit);

    if (is_so && !more) x->was_late = 1;
    if (is_so) __atomic_store_n(&x->was_blocked, 1, __ATOMIC_RELEASE);
    return is_so;
}

static void progress(void *ctx)
{
    ((exchange_t *)ctx)->progressed++;
}

static void answered(void *ctx)
{
    __atomic_add_fetch(&((exchange_t *)ctx)->answered, 1, __ATOMIC_RELEASE);
}

static void done(void *ctx, apr_status_t rv)
{
    exchange_t *x = ctx;

    x->rv = rv;
    x->http = bl_transfer_http_status(x->transfer);
    x->retry_after_ms = bl_transfer_retry_after_ms(x->transfer);
    snprintf(x->request_id, sizeof(x->request_id), "%s",
             bl_transfer_request_id(x->transfer));
    bl_transfer_rt_destroy(x->transfer);
    x->transfer = NULL;
    __atomic_add_fetch(&x->done, 1, __ATOMIC_RELEASE);
}

static void start_here(void *ctx)
{
    exchange_t *x = ctx;

    x->started = bl_transfer_rt_start(&x->transfer, &x->plan);
}

static exchange_t *new_exchange(const char *base_url)
{
    exchange_t *x = calloc(1, sizeof(*x));
    bl_ask_t ask;

    memset(&ask, 0, sizeof(ask));
    ask.prompt = "hi";
    x->text = malloc(TEXT_BYTES);
    snprintf(x->base_url, sizeof(x->base_url), "%s", base_url);
    x->target.base_url = x->base_url;
    x->target.app_id = "a1";
    x->target.is_incremental = 1;
    x->target.enable_thinking = -1;
    bl_request_init(&x->request);
    assert_int_equal(bl_dialect_app.request(&x->target, &ask, &x->request),
                     APR_SUCCESS);
    x->plan.reactor = reactor;
    x->plan.allowed = &allowed;
    x->plan.dialect = &bl_dialect_app;
    x->plan.target = &x->target;
    x->plan.request = &x->request;
    x->plan.secret = SECRET;
    x->plan.connect_ms = 5000;
    x->plan.out.emit = emit;
    x->plan.out.ctx = x;
    x->plan.answer = &x->answer;
    x->plan.is_blocked = blocked;
    x->plan.progress = progress;
    x->plan.answered = answered;
    x->plan.done = done;
    x->plan.ctx = x;
    return x;
}

static exchange_t *start_at(const char *base_url)
{
    exchange_t *x = new_exchange(base_url);

    on_reactor(reactor, start_here, x);
    return x;
}

static exchange_t *start(void)
{
    char url[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%d/api/v1", stub.port);
    return start_at(url);
}

static int is_done(exchange_t *x)
{
    return __atomic_load_n(&x->done, __ATOMIC_ACQUIRE);
}

static int is_answered(exchange_t *x)
{
    return __atomic_load_n(&x->answered, __ATOMIC_ACQUIRE);
}

static void destroy_here(void *ctx)
{
    exchange_t *x = ctx;

    bl_transfer_rt_destroy(x->transfer);
    x->transfer = NULL;
}

static void end(exchange_t *x)
{
    on_reactor(reactor, destroy_here, x);
    bl_request_release(&x->request);
    free(x->text);
    free(x);
}

static void expect(exchange_t *x, apr_status_t rv, const char *text)
{
    assert_int_equal(x->started, APR_SUCCESS);
    wait_until(is_done(x));
    assert_string_equal(bl_error(x->rv)->code, bl_error(rv)->code);
    assert_int_equal(x->rv, rv);
    assert_int_equal(x->done, 1);
    assert_int_equal(x->text_len, strlen(text));
    assert_memory_equal(x->text, text, x->text_len);
}

static void serve(stub_script_fn *script, const void *ctx)
{
    stub_start(&stub, script, (void *)(uintptr_t)ctx);
}

static void forget_here(void *ctx)
{
    (void)ctx;
    bl_transfer_rt_forget_spares();
}

static int set_up(void **state)
{
    (void)state;
    stub_open(&stub);
    memset(&allowed, 0, sizeof(allowed));
    bl_network_parse(&allowed.networks[0], "127.0.0.0/8");
    allowed.network_count = 1;
    allowed.plain[0] = strdup("127.0.0.1");
    allowed.plain_count = 1;
    return bl_reactor_create(&reactor) != APR_SUCCESS ||
           bl_reactor_start(reactor) != APR_SUCCESS;
}

static int tear_down(void **state)
{
    int i;

    (void)state;
    on_reactor(reactor, forget_here, NULL);
    bl_reactor_stop(reactor);
    bl_reactor_destroy(reactor);
    stub_close(&stub);
    for (i = 0; i < allowed.plain_count; i++)
        free(allowed.plain[i]);
    return 0;
}

/* --- a good answer ---------------------------------------------------------
 */

static void test_transfer_answer_comes_whole(void **state)
{
    exchange_t *x;

    (void)state;
    serve(stub_hello, NULL);
    x = start();
    expect(x, APR_SUCCESS, "Hello world");
    assert_int_equal(x->answered, 1);
    assert_true(x->progressed >= 1);
    assert_int_equal(x->http, 200);
    assert_string_equal(x->answer.session_id, "s1");
    assert_int_equal(x->answer.input_tokens, 3);
    assert_int_equal(x->answer.finish, BL_FINISH_STOP);
    end(x);
}

/* S-43, S-70: the key stands in one header, and nowhere else. */
static void test_transfer_key_is_sent_in_its_header_only(void **state)
{
    const char *request, *at;
    exchange_t *x;

    (void)state;
    serve(stub_hello, NULL);
    x = start();
    expect(x, APR_SUCCESS, "Hello world");
    request = stub_request(&stub, 0);
    assert_memory_equal(request, "POST /api/v1/apps/a1/completion HTTP/1.1\r\n",
                        42);
    at = strstr(request, "\r\nAuthorization: Bearer " SECRET "\r\n");
    assert_non_null(at);
    assert_null(strstr(strstr(at, SECRET) + 1, SECRET));
    assert_null(strstr(request, "Expect:"));
    assert_null(strstr(request, "Cookie:"));
    end(x);
}

static void one_byte_each(stub_conn_t *c, void *ctx)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=UTF-8\r\n"
        "Connection: close\r\n\r\n"
        "id:1\r\nevent:result\r\n:HTTP_STATUS/200\r\n"
        "data:{\"output\":{\"text\":\"\xe7\xbb\xbf\\ud83c\\udf75\","
        "\"finish_reason\":\"stop\"}}\r\n\r\n";
    size_t i;

    (void)ctx;
    for (i = 0; i < sizeof(answer) - 1; i++)
        stub_send_bytes(c, answer + i, 1);
}

static void test_transfer_one_byte_writes_give_the_same_text_u17(void **state)
{
    exchange_t *x;

    (void)state;
    serve(one_byte_each, NULL);
    x = start();
    expect(x, APR_SUCCESS, "\xe7\xbb\xbf\xf0\x9f\x8d\xb5");
    end(x);
}

/* --- where it may connect --------------------------------------------------
 */

static void test_transfer_closed_port_is_connect_u01(void **state)
{
    char url[64];
    exchange_t *x;
    stub_t gone;

    (void)state;
    stub_open(&gone);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/api/v1", gone.port);
    stub_close(&gone);
    x = start_at(url);
    expect(x, BL_E_UPSTREAM_CONNECT, "");
    end(x);
}

/* --- a name service that never answers ----------------------------------- */

#define SILENT "silent.test"

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_change = PTHREAD_COND_INITIALIZER;
static int names_asked, names_may_answer; /* guarded by names_lock */

/* In place of the C library's, for curl's thread that resolves. */
__attribute__((visibility("default"))) int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
            struct addrinfo **found)
{
    static __typeof__(&getaddrinfo) next;
    struct timespec until;

    if (name && !strcmp(name, SILENT)) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 60; /* who waits for it hangs no longer */
        pthread_mutex_lock(&names_lock);
        names_asked++;
        while (!names_may_answer &&
               !pthread_cond_timedwait(&names_change, &names_lock, &until))
            ;
        names_asked--;
        pthread_cond_broadcast(&names_change);
        pthread_mutex_unlock(&names_lock);
        return EAI_AGAIN;
    }
    if (!next) next = (__typeof__(next))dlsym(RTLD_NEXT, "getaddrinfo");
    return next(name, service, hints, found);
}

static int names_are_asked(void)
{
    int n;

    pthread_mutex_lock(&names_lock);
    n = names_asked;
    pthread_mutex_unlock(&names_lock);
    return n;
}

static void let_names_answer(void)
{
    pthread_mutex_lock(&names_lock);
    names_may_answer = 1;
    pthread_cond_broadcast(&names_change);
    while (names_asked)
        pthread_cond_wait(&names_change, &names_lock);
    names_may_answer = 0;
    pthread_mutex_unlock(&names_lock);
}

/* Its thread still waits for the name when the transfer has failed and is
 * destroyed: the reactor does not. */
static void test_transfer_name_service_that_is_silent_is_dns_u02(void **state)
{
    exchange_t *x, *beside;

    (void)state;
    allowed.plain[allowed.plain_count++] = strdup(SILENT);
    serve(stub_hello, NULL);
    x = new_exchange("http://" SILENT "/api/v1");
    x->plan.connect_ms = 200;
    on_reactor(reactor, start_here, x);
    expect(x, BL_E_UPSTREAM_DNS, "");
    assert_int_equal(names_are_asked(), 1);
    beside = start();
    wait_until(is_done(beside));
    assert_int_equal(beside->rv, APR_SUCCESS);
    assert_int_equal(names_are_asked(), 1);
    end(beside);
    end(x);
    let_names_answer();
}

/* As above, when nobody wants the answer any more (C02). */
static void test_transfer_is_destroyed_while_its_name_is_asked(void **state)
{
    exchange_t *x;

    (void)state;
    allowed.plain[allowed.plain_count++] = strdup(SILENT);
    x = new_exchange("http://" SILENT "/api/v1");
    on_reactor(reactor, start_here, x);
    wait_until(names_are_asked());
    end(x);
    assert_int_equal(names_are_asked(), 1);
    let_names_answer();
}

/* All of them are this machine to the kernel; curl's own parser reads them. */
static const char *const loopbacks[] = {"127.0.0.1",
                                        "127.1",
                                        "2130706433",
                                        "0x7f000001",
                                        "0177.0.0.1",
                                        "0x7f.1",
                                        "017700000001",
                                        "127.0.0.1.",
                                        "0",
                                        "0.0.0.0",
                                        "[::ffff:127.0.0.1]",
                                        "[::ffff:7f00:1]",
                                        "localhost",
                                        "[0:0:0:0:0:ffff:7f00:0001]"};

static void allow_plain_everywhere(void)
{
    static const char *const hosts[] = {
        "0.0.0.0",         "localhost",  "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "127.0.0.1.", "[0:0:0:0:0:ffff:7f00:0001]"};
    size_t i;

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        allowed.plain[allowed.plain_count++] = strdup(hosts[i]);
}

/* S-32: judged on the address that is really used, whatever it was called. */
static void test_transfer_loopback_in_any_spelling_is_refused_s32(void **state)
{
    char url[128];
    exchange_t *x;
    size_t i;

    (void)state;
    serve(stub_hello, NULL);
    allow_plain_everywhere();
    allowed.network_count = 0;
    for (i = 0; i < sizeof(loopbacks) / sizeof(loopbacks[0]); i++) {
        snprintf(url, sizeof(url), "http://%s:%d/api/v1", loopbacks[i],
                 stub.port);
        x = start_at(url);
        if (x->started == APR_SUCCESS) {
            wait_until(is_done(x));
            assert_int_equal(x->rv, BL_E_UPSTREAM_DNS);
        }
        end(x);
    }
    assert_int_equal(stub_accepted(&stub), 0);
}

/* The other side of it: with the network named the same spellings connect, so
 * it was the address that was refused. */
static void test_transfer_loopback_named_connects_in_any_spelling(void **state)
{
    char url[128];
    exchange_t *x;
    size_t i;
    int came = 0;

    (void)state;
    serve(stub_hello, NULL);
    allow_plain_everywhere();
    bl_network_parse(&allowed.networks[1], "0.0.0.0/8");
    allowed.network_count = 2;
    for (i = 0; i < sizeof(loopbacks) / sizeof(loopbacks[0]); i++) {
        snprintf(url, sizeof(url), "http://%s:%d/api/v1", loopbacks[i],
                 stub.port);
        x = start_at(url);
        if (x->started == APR_SUCCESS) {
            wait_until(is_done(x));
            came += x->rv == APR_SUCCESS;
        }
        end(x);
    }
    assert_true(came >= 10);
    assert_int_equal(stub_accepted(&stub), came);
}

/* S-31: plain http only where it is named; no other scheme, no user info. */
static void test_transfer_url_that_is_not_allowed_is_not_started(void **state)
{
    static const char *const bad[] = {
        "http://127.0.0.2:%d/api/v1",      "ftp://127.0.0.1:%d/x",
        "file:///etc/passwd?%d",           "gopher://127.0.0.1:%d/x",
        "dict://127.0.0.1:%d/x",           "http://u:p@127.0.0.1:%d/x",
        "http://127.0.0.1:%d@127.0.0.2/x", "//127.0.0.1:%d/x",
        "http://127.0.0.1:%d:80/x",        "scp://127.0.0.1:%d/x"};
    exchange_t *x;
    size_t i;

    (void)state;
    serve(stub_hello, NULL);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *at = strstr(bad[i], "%d");

        x = new_exchange("http://127.0.0.1/");
        bl_buf_clear(&x->request.url);
        bl_buf_append(&x->request.url, bad[i], (size_t)(at - bad[i]));
        bl_buf_putu(&x->request.url, (apr_uint64_t)stub.port);
        bl_buf_puts(&x->request.url, at + 2);
        on_reactor(reactor, start_here, x);
        assert_int_equal(x->started, BL_E_UPSTREAM_CONNECT);
        assert_null(x->transfer);
        end(x);
    }
    assert_int_equal(stub_accepted(&stub), 0);
}

/* S-33: what the environment says of proxies is not asked. */
static void test_transfer_proxy_of_the_environment_is_unused_s33(void **state)
{
    static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY",
                                        "HTTP_PROXY"};
    char trap_url[64];
    exchange_t *x;
    stub_t trap;
    size_t i;

    (void)state;
    stub_open(&trap);
    stub_start(&trap, stub_hello, NULL);
    snprintf(trap_url, sizeof(trap_url), "http://127.0.0.1:%d", trap.port);
    for (i = 0; i < 4; i++)
        setenv(names[i], trap_url, 1);
    serve(stub_hello, NULL);
    x = start();
    expect(x, APR_SUCCESS, "Hello world");
    end(x);
    assert_int_equal(stub_asked(&stub), 1);
    assert_int_equal(stub_accepted(&trap), 0);
    for (i = 0; i < 4; i++)
        unsetenv(names[i]);
    stub_close(&trap);
}

/* S-32: the proxy's address is allowed, the target's own is not, however it is
 * written; the proxy never hears of it. */
static void
test_transfer_literal_target_behind_a_proxy_is_judged_too_s32(void **state)
{
    static const char *const bad[] = {
        "https://10.9.8.7/v1", "https://0x0a090807/v1", "https://168364039/v1",
        "https://012.9.8.7/v1", "https://[fd00::1]/v1"};
    char proxy[64];
    exchange_t *x;
    stub_t stub_proxy;
    size_t i;

    (void)state;
    stub_open(&stub_proxy);
    stub_start(&stub_proxy, stub_hello, NULL);
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", stub_proxy.port);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        x = new_exchange(bad[i]);
        x->plan.proxy = proxy;
        on_reactor(reactor, start_here, x);
        assert_int_equal(x->started, BL_E_UPSTREAM_DNS);
        end(x);
    }
    assert_int_equal(stub_accepted(&stub_proxy), 0);
    stub_close(&stub_proxy);
}

static void set_cookie(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_answer(c, 500, "Set-Cookie: id=1; Path=/\r\n", "{}");
}

static void test_transfer_cookies_are_not_kept_s33(void **state)
{
    exchange_t *x;
    int i;

    (void)state;
    serve(set_cookie, NULL);
    for (i = 0; i < 2; i++) {
        x = start();
        expect(x, BL_E_UPSTREAM_UNAVAILABLE, "");
        end(x);
    }
    assert_null(strstr(stub_request(&stub, 1), "Cookie"));
}

/* --- answers that are none -------------------------------------------------
 */

typedef struct reply_t {
    int status;
    const char *headers;
    const char *body;
} reply_t;

static void send_reply(stub_conn_t *c, void *ctx)
{
    const reply_t *reply = ctx;

    stub_answer(c, reply->status, reply->headers, reply->body);
}

static void expect_reply(const reply_t *reply, apr_status_t rv)
{
    exchange_t *x;

    stub.ctx = (void *)(uintptr_t)reply;
    x = start();
    expect(x, rv, "");
    end(x);
}

/* U05 - U09: each status is its class; nothing of the body comes out. */
static void test_transfer_status_is_its_class(void **state)
{
    static const struct {
        reply_t reply;
        apr_status_t rv;
    } rows[] = {
        {{400, "", "{\"code\":\"InvalidParameter\"}"}, BL_E_UPSTREAM_REJECTED},
        {{401, "", ""}, BL_E_UPSTREAM_AUTH},
        {{403, "", "<html>no</html>"}, BL_E_UPSTREAM_AUTH},
        {{404, "", ""}, BL_E_UPSTREAM_REJECTED},
        {{408, "", ""}, BL_E_UPSTREAM_UNAVAILABLE},
        {{429, "", "{}"}, BL_E_UPSTREAM_QUOTA},
        {{500, "", ""}, BL_E_UPSTREAM_UNAVAILABLE},
        {{502, "", "<html>bad gateway</html>"}, BL_E_UPSTREAM_UNAVAILABLE},
        {{503, "", "{}"}, BL_E_UPSTREAM_UNAVAILABLE},
        {{504, "", ""}, BL_E_UPSTREAM_UNAVAILABLE},
        {{204, "", ""}, BL_E_UPSTREAM_GARBAGE},
        {{200, "Content-Type: text/html\r\n", "<html>log in</html>"},
         BL_E_UPSTREAM_GARBAGE},
        {{200, "", "nothing says what this is"}, BL_E_UPSTREAM_GARBAGE},
        {{302, "Location: http://127.0.0.1/\r\n", ""}, BL_E_UPSTREAM_GARBAGE},
        {{301, "Location: file:///etc/passwd\r\n", ""}, BL_E_UPSTREAM_GARBAGE},
        {{307, "Location: https://127.0.0.1/\r\n", ""}, BL_E_UPSTREAM_GARBAGE},
    };
    size_t i;

    (void)state;
    serve(send_reply, &rows[0].reply);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_reply(&rows[i].reply, rows[i].rv);
}

static void send_large_error(stub_conn_t *c, void *ctx)
{
    static char page[1024 * 1024 + 1];

    (void)ctx;
    memset(page, '<', sizeof(page) - 1);
    stub_answer(c, 503, "Content-Type: text/html\r\n", page);
}

/* U08: an error's body is read to 64 KiB, and the rest is dropped. */
static void test_transfer_large_error_page_is_its_status_u08(void **state)
{
    exchange_t *x;

    (void)state;
    serve(send_large_error, NULL);
    x = start();
    expect(x, BL_E_UPSTREAM_UNAVAILABLE, "");
    assert_int_equal(x->http, 503);
    end(x);
}

static void redirect_to_trap(stub_conn_t *c, void *ctx)
{
    char header[64];

    snprintf(header, sizeof(header), "Location: http://127.0.0.1:%d/x\r\n",
             ((stub_t *)ctx)->port);
    stub_answer(c, 302, header, "");
}

/* U09, S-34: never followed, so the key reaches no second host. */
static void test_transfer_redirect_is_not_followed_u09(void **state)
{
    exchange_t *x;
    stub_t trap;

    (void)state;
    stub_open(&trap);
    stub_start(&trap, stub_hello, NULL);
    serve(redirect_to_trap, &trap);
    x = start();
    expect(x, BL_E_UPSTREAM_GARBAGE, "");
    assert_int_equal(stub_accepted(&trap), 0);
    end(x);
    stub_close(&trap);
}

/* U06: seconds or a date; what makes no sense counts as absent. */
static void test_transfer_retry_after_is_read_u06(void **state)
{
    static const struct {
        const char *value;
        bl_ms_t ms;
    } rows[] = {
        {"1", 1000},
        {"5", 5000},
        {"0", 0},
        {"3600", 3600000},
        {"99999", 3600000},
        {"99999999999999999999", 3600000},
        {"-1", -1},
        {"abc", -1},
        {"", -1},
        {"1.5", -1},
        {"Thu, 01 Jan 2015 00:00:00 GMT", -1},
    };
    char headers[16][128];
    reply_t replies[16];
    exchange_t *x;
    size_t i;

    (void)state;
    serve(send_reply, NULL);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(headers[i], sizeof(headers[i]), "Retry-After: %s\r\n",
                 rows[i].value);
        replies[i].status = 429;
        replies[i].headers = headers[i];
        replies[i].body = "{}";
        stub.ctx = &replies[i];
        x = start();
        expect(x, BL_E_UPSTREAM_QUOTA, "");
        assert_int_equal(x->retry_after_ms, rows[i].ms);
        end(x);
    }
}

static void test_transfer_retry_after_may_be_a_date_u06(void **state)
{
    char header[128], date[64];
    reply_t reply = {429, header, "{}"};
    time_t in_a_minute = time(NULL) + 60;
    struct tm tm;
    exchange_t *x;

    (void)state;
    gmtime_r(&in_a_minute, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    snprintf(header, sizeof(header), "Retry-After: %s\r\n", date);
    serve(send_reply, &reply);
    x = start();
    expect(x, BL_E_UPSTREAM_QUOTA, "");
    assert_true(x->retry_after_ms > 0 && x->retry_after_ms <= 60000);
    end(x);
}

/* U25: none was asked for. */
static void test_transfer_compressed_answer_is_garbage_u25(void **state)
{
    static const reply_t reply = {
        200, "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n",
        "\x1f\x8b\x08"};

    (void)state;
    serve(send_reply, &reply);
    expect_reply(&reply, BL_E_UPSTREAM_GARBAGE);
}

static void send_headers(stub_conn_t *c, void *ctx)
{
    char line[1024];
    int i, kib = *(int *)ctx;

    memset(line, 'h', sizeof(line));
    memcpy(line, "X-Much: ", 8);
    memcpy(line + sizeof(line) - 2, "\r\n", 2);
    stub_send(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                 "Connection: close\r\n");
    for (i = 0; i < kib; i++)
        stub_send_bytes(c, line, sizeof(line));
    stub_send(c, "\r\n");
    stub_finish(c, "x");
}

/* U27: 256 KiB of headers are the most. */
static void test_transfer_header_flood_is_garbage_u27(void **state)
{
    int few = 200, many = 300;
    exchange_t *x;

    (void)state;
    serve(send_headers, &few);
    x = start();
    expect(x, APR_SUCCESS, "x");
    end(x);
    stub.ctx = &many;
    x = start();
    expect(x, BL_E_UPSTREAM_GARBAGE, "");
    end(x);
}

/* --- ends ------------------------------------------------------------------
 */

static void answer_and_stay(stub_conn_t *c, void *ctx)
{
    stub_hello(c, ctx);
    stub_hang(c);
}

/* U13: the end marker is the end, not the close. */
static void test_transfer_is_answered_before_the_close_u13(void **state)
{
    exchange_t *x;

    (void)state;
    serve(answer_and_stay, NULL);
    x = start();
    wait_until(is_answered(x));
    assert_false(is_done(x));
    assert_int_equal(x->text_len, 11);
    end(x); /* destroys the transfer, which closes the connection */
    wait_until(stub_gone(&stub) == 1);
}

static void say_half(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_say(c, "half");
}

/* U14, I4: a clean close without the end marker is a cut. */
static void test_transfer_close_without_an_end_is_cut_u14(void **state)
{
    exchange_t *x;

    (void)state;
    serve(say_half, NULL);
    x = start();
    expect(x, BL_E_UPSTREAM_CUT, "half");
    assert_int_equal(x->answered, 0);
    end(x);
}

static int reset_at;

static void reset_there(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    if (reset_at >= 1) stub_begin(c);
    if (reset_at >= 2) stub_say(c, "half");
    if (reset_at >= 3) stub_send(c, "event:result\ndata:{\"outp");
    if (reset_at >= 4) {
        stub_send(c, "ut\":{\"text\":\"!\",\"finish_reason\":\"stop\"}}\n\n");
    }
    stub_wait(c); /* until all was read: a reset drops what was not */
    stub_reset(c);
}

static size_t text_len(exchange_t *x)
{
    return __atomic_load_n(&x->text_len, __ATOMIC_ACQUIRE);
}

/* U15: before and after the headers, between two events, in an event: cut;
 * after the end marker nothing that happens to the connection matters. */
static void test_transfer_reset_is_cut_unless_it_has_ended_u15(void **state)
{
    static const char *const texts[] = {"", "", "half", "half", "half!"};
    exchange_t *x;

    (void)state;
    serve(reset_there, NULL);
    for (reset_at = 0; reset_at <= 4; reset_at++) {
        x = start();
        wait_until(stub_asked(&stub) == reset_at + 1);
        if (reset_at >= 2) wait_until(text_len(x) >= 4);
        if (reset_at >= 4) wait_until(is_answered(x));
        stub_open_gate(&stub);
        expect(x, reset_at == 4 ? APR_SUCCESS : BL_E_UPSTREAM_CUT,
               texts[reset_at]);
        end(x);
    }
}

static void send_raw(stub_conn_t *c, void *ctx)
{
    stub_send(c, ctx);
}

/* U16 */
static void test_transfer_broken_framing_is_cut_or_garbage_u16(void **state)
{
    static const char head[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: text/event-stream\r\n";
    static const struct {
        const char *rest;
        apr_status_t rv;
    } rows[] = {
        {"Content-Length: 100\r\n\r\n:half", BL_E_UPSTREAM_CUT},
        {"Transfer-Encoding: chunked\r\n\r\n10\r\n:half", BL_E_UPSTREAM_CUT},
        {"Transfer-Encoding: chunked\r\n\r\nzz\r\n:x\r\n0\r\n\r\n",
         BL_E_UPSTREAM_CUT},
    };
    char answers[3][256];
    exchange_t *x;
    size_t i;

    (void)state;
    serve(send_raw, NULL);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(answers[i], sizeof(answers[i]), "%s%s", head, rows[i].rest);
        stub.ctx = answers[i];
        x = start();
        expect(x, rows[i].rv, "");
        end(x);
    }
}

static void send_garbage(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_send(c, "\x16\x03\x01\x02SSH-2.0 hello\r\n\r\n");
}

static void test_transfer_what_is_not_http_is_garbage(void **state)
{
    exchange_t *x;

    (void)state;
    serve(send_garbage, NULL);
    x = start();
    expect(x, BL_E_UPSTREAM_GARBAGE, "");
    end(x);
}

/* --- errors in an answer (U26) ---------------------------------------------
 */

static void send_error_event(stub_conn_t *c, void *ctx)
{
    const char *text = ctx;

    stub_begin(c);
    if (*text) stub_say(c, text);
    stub_send(c, "event:error\n:HTTP_STATUS/429\n"
                 "data:{\"code\":\"Throttling.RateQuota\",\"message\":\"m\","
                 "\"request_id\":\"r9\"}\n\n");
    stub_finish(c, "more");
}

static void test_transfer_error_event_ends_it_by_its_code_u26(void **state)
{
    exchange_t *x;

    (void)state;
    serve(send_error_event, "");
    x = start();
    expect(x, BL_E_UPSTREAM_QUOTA, "");
    assert_string_equal(x->answer.failure_code, "Throttling.RateQuota");
    assert_int_equal(x->answer.failure_http, 429);
    end(x);
    stub.ctx = (void *)(uintptr_t) "kept";
    x = start();
    expect(x, BL_E_UPSTREAM_QUOTA, "kept"); /* and nothing behind it */
    assert_int_equal(x->answered, 0);
    end(x);
}

/* --- limits ----------------------------------------------------------------
 */

static void send_event_of(stub_conn_t *c, void *ctx)
{
    size_t n = *(size_t *)ctx;
    char *text = malloc(n + 1);

    memset(text, 't', n);
    text[n] = '\0';
    stub_begin(c);
    stub_say(c, "first");
    stub_finish(c, text);
    free(text);
}

/* U22: below the limit an event passes, above it the rest is not read. */
static void test_transfer_event_above_its_limit_is_too_large_u22(void **state)
{
    size_t below = BL_MAX_EVENT_BYTES - 1024, above = BL_MAX_EVENT_BYTES + 1;
    exchange_t *x;

    (void)state;
    serve(send_event_of, &below);
    x = start();
    wait_until(is_done(x));
    assert_int_equal(x->rv, APR_SUCCESS);
    assert_int_equal(x->text_len, below + 5);
    end(x);
    stub.ctx = &above;
    x = start();
    expect(x, BL_E_UPSTREAM_TOO_LARGE, "first");
    end(x);
}

static void never_end_a_line(stub_conn_t *c, void *ctx)
{
    static char much[64 * 1024];
    int i;

    (void)ctx;
    memset(much, 'x', sizeof(much));
    stub_begin(c);
    stub_send(c, "data:");
    for (i = 0; i < 1024; i++)
        stub_send_bytes(c, much, sizeof(much));
}

static void test_transfer_line_without_an_end_is_too_large_u22(void **state)
{
    exchange_t *x;

    (void)state;
    serve(never_end_a_line, NULL);
    x = start();
    expect(x, BL_E_UPSTREAM_TOO_LARGE, "");
    end(x);
}

/* --- backpressure (U28) ----------------------------------------------------
 */

#define MUCH 4000

static void say_much(stub_conn_t *c, void *ctx)
{
    char text[1025];
    int i;

    (void)ctx;
    memset(text, 'm', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    stub_begin(c);
    for (i = 0; i < MUCH; i++)
        stub_say(c, text);
    stub_finish(c, "");
}

static void note_len(void *ctx)
{
    exchange_t *x = ctx;

    x->progressed = (int)x->text_len;
}

static void resume_here(void *ctx)
{
    exchange_t *x = ctx;

    if (x->transfer) bl_transfer_rt_resume(x->transfer);
}

/* While it is held nothing more comes; when it is let go nothing is lost. */
static void test_transfer_held_back_delivers_nothing_then_all_u28(void **state)
{
    exchange_t *x;
    int before;

    (void)state;
    serve(say_much, NULL);
    x = new_exchange("http://127.0.0.1/");
    bl_buf_clear(&x->request.url);
    bl_buf_printf(&x->request.url, "http://127.0.0.1:%d/x", stub.port);
    x->is_blocked = 1;
    on_reactor(reactor, start_here, x);
    wait_until(__atomic_load_n(&x->was_blocked, __ATOMIC_ACQUIRE));
    on_reactor(reactor, note_len, x);
    before = x->progressed;
    assert_int_equal(before, 0);
    on_reactor(reactor, resume_here, x); /* is_blocked still says so */
    on_reactor(reactor, note_len, x);
    assert_int_equal(x->progressed, 0);
    assert_false(is_done(x));
    __atomic_store_n(&x->is_blocked, 0, __ATOMIC_RELEASE);
    on_reactor(reactor, resume_here, x);
    wait_until(is_done(x));
    assert_int_equal(x->rv, APR_SUCCESS);
    assert_int_equal(x->text_len, MUCH * 1024);
    end(x);
}

static void raise_limit(void *ctx)
{
    exchange_t *x = ctx;

    __atomic_store_n(&x->was_blocked, 0, __ATOMIC_RELEASE);
    x->limit += 200 * 1024;
    bl_transfer_rt_resume(x->transfer);
}

static void lift_limit(void *ctx)
{
    exchange_t *x = ctx;

    x->limit = 0;
    bl_transfer_rt_resume(x->transfer);
}

/* C06: it is paused before the read that would be too much, so that nothing
 * lies in curl meanwhile; and nothing more is read, whatever clock of curl's
 * rings. */
static void test_transfer_pauses_before_it_is_too_much_c06(void **state)
{
    exchange_t *x;
    int before, i;

    (void)state;
    serve(say_much, NULL);
    x = new_exchange("http://127.0.0.1/");
    bl_buf_clear(&x->request.url);
    bl_buf_printf(&x->request.url, "http://127.0.0.1:%d/x", stub.port);
    x->limit = 200 * 1024;
    on_reactor(reactor, start_here, x);
    for (i = 0; i < 5; i++) {
        wait_until(__atomic_load_n(&x->was_blocked, __ATOMIC_ACQUIRE));
        on_reactor(reactor, note_len, x);
        before = x->progressed;
        assert_true((size_t)before < x->limit);
        assert_true((size_t)before > x->limit - 64 * 1024);
        on_reactor(reactor, note_len, x);
        assert_int_equal(x->progressed, before);
        assert_false(x->was_late);
        on_reactor(reactor, raise_limit, x);
    }
    wait_until(__atomic_load_n(&x->was_blocked, __ATOMIC_ACQUIRE));
    on_reactor(reactor, lift_limit, x);
    wait_until(is_done(x));
    assert_int_equal(x->rv, APR_SUCCESS);
    assert_int_equal(x->text_len, MUCH * 1024);
    end(x);
}

/* --- cancel ----------------------------------------------------------------
 */

static void say_and_hang(stub_conn_t *c, void *ctx)
{
    say_half(c, ctx);
    stub_hang(c);
}

/* C02: to destroy it is the cancel; the upstream sees its connection closed. */
static void test_transfer_destroyed_closes_its_connection_c02(void **state)
{
    exchange_t *x;

    (void)state;
    serve(say_and_hang, NULL);
    x = start();
    wait_until(text_len(x) == 4);
    end(x);
    wait_until(stub_gone(&stub) == 1);
}

/* --- what is kept for the next one ------------------------------------------
 */

static void forget_connections_here(void *ctx)
{
    (void)ctx;
    bl_transfer_rt_forget_spares();
    bl_reactor_rt_forget_connections(reactor);
}

static void refuse_and_stay(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_send(c, "HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}");
    stub_hang(c);
}

static void test_transfer_idle_connection_is_kept_until_forgotten(void **state)
{
    exchange_t *x;

    (void)state;
    serve(refuse_and_stay, NULL);
    x = start();
    expect(x, BL_E_UPSTREAM_REJECTED, "");
    end(x);
    assert_int_equal(stub_gone(&stub), 0);
    on_reactor(reactor, forget_connections_here, NULL);
    wait_until(stub_gone(&stub) == 1);
    x = start();
    expect(x, BL_E_UPSTREAM_REJECTED, "");
    end(x);
    assert_int_equal(stub_accepted(&stub), 2);
}

static void say_wait_and_finish(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_say(c, "half ");
    stub_wait(c);
    stub_finish(c, "done");
}

static void test_transfer_that_runs_keeps_its_connection(void **state)
{
    exchange_t *x;

    (void)state;
    serve(say_wait_and_finish, NULL);
    x = start();
    wait_until(text_len(x) == 5);
    on_reactor(reactor, forget_connections_here, NULL);
    stub_open_gate(&stub);
    expect(x, APR_SUCCESS, "half done");
    end(x);
    assert_int_equal(stub_gone(&stub), 0);
}

#define with_stub(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_stub(test_transfer_answer_comes_whole),
        with_stub(test_transfer_key_is_sent_in_its_header_only),
        with_stub(test_transfer_one_byte_writes_give_the_same_text_u17),
        with_stub(test_transfer_closed_port_is_connect_u01),
        with_stub(test_transfer_name_service_that_is_silent_is_dns_u02),
        with_stub(test_transfer_is_destroyed_while_its_name_is_asked),
        with_stub(test_transfer_loopback_in_any_spelling_is_refused_s32),
        with_stub(test_transfer_loopback_named_connects_in_any_spelling),
        with_stub(test_transfer_url_that_is_not_allowed_is_not_started),
        with_stub(test_transfer_proxy_of_the_environment_is_unused_s33),
        with_stub(
            test_transfer_literal_target_behind_a_proxy_is_judged_too_s32),
        with_stub(test_transfer_cookies_are_not_kept_s33),
        with_stub(test_transfer_status_is_its_class),
        with_stub(test_transfer_large_error_page_is_its_status_u08),
        with_stub(test_transfer_redirect_is_not_followed_u09),
        with_stub(test_transfer_retry_after_is_read_u06),
        with_stub(test_transfer_retry_after_may_be_a_date_u06),
        with_stub(test_transfer_compressed_answer_is_garbage_u25),
        with_stub(test_transfer_header_flood_is_garbage_u27),
        with_stub(test_transfer_is_answered_before_the_close_u13),
        with_stub(test_transfer_close_without_an_end_is_cut_u14),
        with_stub(test_transfer_reset_is_cut_unless_it_has_ended_u15),
        with_stub(test_transfer_broken_framing_is_cut_or_garbage_u16),
        with_stub(test_transfer_what_is_not_http_is_garbage),
        with_stub(test_transfer_error_event_ends_it_by_its_code_u26),
        with_stub(test_transfer_event_above_its_limit_is_too_large_u22),
        with_stub(test_transfer_line_without_an_end_is_too_large_u22),
        with_stub(test_transfer_held_back_delivers_nothing_then_all_u28),
        with_stub(test_transfer_pauses_before_it_is_too_much_c06),
        with_stub(test_transfer_destroyed_closes_its_connection_c02),
        with_stub(test_transfer_idle_connection_is_kept_until_forgotten),
        with_stub(test_transfer_that_runs_keeps_its_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

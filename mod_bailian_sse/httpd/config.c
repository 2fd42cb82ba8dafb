/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "base/machine.h"
#include "store/clients.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define FD_PER_STREAM 3 /* client, upstream, eventfd: httpd-async.md 3 */
#define FD_SPARE 300

void *bl_server_conf_create(apr_pool_t *p, server_rec *s)
{
    bl_server_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)s;
    conf->streams_per_child = BL_UNSET;
    conf->streams_all = BL_UNSET;
    conf->sockets_all = BL_UNSET;
    conf->drain_ms = BL_UNSET;
    conf->memory_budget = BL_UNSET;
    conf->bases = apr_array_make(p, 2, sizeof(const char *));
    return conf;
}

/* The directives stand in the main server only: every virtual host has its. */
void *bl_server_conf_merge(apr_pool_t *p, void *base, void *add)
{
    (void)p;
    (void)add;
    return base;
}

void *bl_dir_conf_create(apr_pool_t *p, char *dir)
{
    bl_dir_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)dir;
    conf->is_anonymous = BL_UNSET;
    conf->has_chat_page = BL_UNSET;
    conf->async = BL_UNSET;
    conf->has_credentials = conf->is_query_token = BL_UNSET;
    conf->starts_per_minute = conf->starts_per_address = BL_UNSET;
    conf->tokens_per_day = BL_UNSET;
    conf->metrics = BL_UNSET;
    conf->session_ms = BL_UNSET;
    conf->heartbeat_first_ms = conf->heartbeat_ms = BL_UNSET;
    conf->connect_ms = conf->first_content_ms = BL_UNSET;
    conf->gap_ms = conf->total_ms = BL_UNSET;
    conf->pace = conf->retries = BL_UNSET;
    conf->retry_ms = BL_UNSET;
    conf->policy = BL_UNSET;
    conf->detach_ms = BL_UNSET;
    conf->queue_bytes = BL_UNSET;
    conf->slow_ms = BL_UNSET;
    conf->streams_per_principal = BL_UNSET;
    conf->body_bytes = BL_UNSET;
    conf->sockets_per_principal = BL_UNSET;
    conf->ws_message_bytes = BL_UNSET;
    conf->ws_frames = conf->ws_controls = conf->ws_rate = BL_UNSET;
    conf->ws_beat_ms = conf->ws_idle_ms = BL_UNSET;
    return conf;
}

#define NEARER(field)                                                          \
    conf->field = add->field != BL_UNSET ? add->field : base->field

void *bl_dir_conf_merge(apr_pool_t *p, void *basev, void *addv)
{
    const bl_dir_conf_t *base = basev, *add = addv;
    bl_dir_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->app = add->app ? add->app : base->app;
    conf->roles = add->roles ? add->roles : base->roles;
    conf->client = add->client ? add->client : base->client;
    conf->issuers = add->issuers ? add->issuers : base->issuers;
    conf->origins = add->origins ? add->origins : base->origins;
    conf->routes = add->routes ? add->routes : base->routes;
    NEARER(has_credentials);
    NEARER(is_query_token);
    NEARER(starts_per_minute);
    NEARER(starts_per_address);
    NEARER(tokens_per_day);
    NEARER(session_ms);
    NEARER(is_anonymous);
    NEARER(has_chat_page);
    NEARER(async);
    NEARER(metrics);
    NEARER(heartbeat_first_ms);
    NEARER(heartbeat_ms);
    NEARER(connect_ms);
    NEARER(first_content_ms);
    NEARER(gap_ms);
    NEARER(total_ms);
    NEARER(pace);
    NEARER(retries);
    NEARER(retry_ms);
    NEARER(policy);
    NEARER(detach_ms);
    NEARER(queue_bytes);
    NEARER(slow_ms);
    NEARER(streams_per_principal);
    NEARER(body_bytes);
    NEARER(sockets_per_principal);
    NEARER(ws_message_bytes);
    NEARER(ws_frames);
    NEARER(ws_controls);
    NEARER(ws_rate);
    NEARER(ws_beat_ms);
    NEARER(ws_idle_ms);
    return conf;
}

#define DEFAULT(field, value)                                                  \
    if (out.field == BL_UNSET) out.field = (value)

bl_dir_conf_t bl_dir_conf_effective(const bl_dir_conf_t *conf)
{
    bl_dir_conf_t out = *conf;

    DEFAULT(is_anonymous, 0);
    DEFAULT(has_credentials, 0);
    DEFAULT(is_query_token, 0);
    DEFAULT(starts_per_minute, 0);
    DEFAULT(starts_per_address, 0);
    DEFAULT(tokens_per_day, 0);
    DEFAULT(session_ms, BL_DEF_SESSION_MS);
    DEFAULT(has_chat_page, 1);
    DEFAULT(async, BL_ASYNC_AUTO);
    DEFAULT(metrics, BL_METRICS_ADMIN);
    DEFAULT(heartbeat_first_ms, BL_DEF_HEARTBEAT_FIRST_MS);
    DEFAULT(heartbeat_ms, BL_DEF_HEARTBEAT_MS);
    DEFAULT(connect_ms, BL_DEF_CONNECT_MS);
    DEFAULT(first_content_ms, BL_DEF_FIRST_CONTENT_MS);
    DEFAULT(gap_ms, BL_DEF_GAP_MS);
    DEFAULT(total_ms, BL_DEF_TOTAL_MS);
    DEFAULT(pace, BL_RETRY_FIXED);
    DEFAULT(retries, BL_DEF_RETRIES);
    DEFAULT(retry_ms, BL_DEF_RETRY_FIXED_MS);
    DEFAULT(policy, BL_POLICY_DETACH);
    DEFAULT(detach_ms, BL_DEF_DETACH_MS);
    DEFAULT(queue_bytes, BL_QUEUE_BYTES);
    DEFAULT(slow_ms, BL_SLOW_CLIENT_MS);
    DEFAULT(streams_per_principal, BL_STREAMS_PER_PRINCIPAL);
    DEFAULT(body_bytes, BL_MAX_BODY_BYTES);
    DEFAULT(sockets_per_principal, BL_SOCKETS_PER_PRINCIPAL);
    DEFAULT(ws_message_bytes, BL_WS_MESSAGE_BYTES);
    DEFAULT(ws_frames, BL_WS_FRAMES);
    DEFAULT(ws_controls, BL_WS_CONTROLS);
    DEFAULT(ws_rate, BL_WS_MESSAGES);
    DEFAULT(ws_beat_ms, BL_DEF_WS_BEAT_MS);
    DEFAULT(ws_idle_ms, BL_DEF_WS_IDLE_MS);
    return out;
}

static void limit_by_caller(bl_limits_t *l, const bl_client_t *client)
{
    if (client->starts_per_minute > 0) {
        l->starts_per_minute = client->starts_per_minute;
    }
    if (client->streams > 0) l->streams_per_principal = client->streams;
    if (client->tokens_per_day > 0) l->tokens_per_day = client->tokens_per_day;
    l->client = client;
}

bl_limits_t bl_dir_conf_limits(const bl_dir_conf_t *conf)
{
    bl_limits_t l = {0};

    l.connect_ms = conf->connect_ms;
    l.first_content_ms = conf->first_content_ms;
    l.gap_ms = conf->gap_ms;
    l.total_ms = conf->total_ms;
    l.pace = (bl_pace_t)conf->pace;
    l.retries = conf->retries;
    l.retry_ms = conf->retry_ms;
    l.policy = (bl_policy_t)conf->policy;
    l.detach_ms = conf->detach_ms;
    l.queue_bytes = (size_t)conf->queue_bytes;
    l.streams_per_principal = conf->streams_per_principal;
    l.starts_per_minute = conf->starts_per_minute;
    l.starts_per_address = conf->starts_per_address;
    l.tokens_per_day = conf->tokens_per_day;
    if (conf->client) limit_by_caller(&l, conf->client);
    return l;
}

bl_server_conf_t *bl_server_conf(server_rec *s)
{
    return ap_get_module_config(s->module_config, &bailian_sse_module);
}

bl_dir_conf_t *bl_dir_conf(request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &bailian_sse_module);
}

/* --- where the handler is ----------------------------------------------- */

static int is_ours(const char *handler)
{
    return !strcasecmp(handler, BL_HANDLER) ||
           !strcasecmp(handler, BL_ADMIN_HANDLER);
}

static int sets_handler(apr_pool_t *p, const ap_directive_t *section)
{
    const ap_directive_t *d;

    for (d = section->first_child; d; d = d->next) {
        const char *args = d->args;

        if (!strcasecmp(d->directive, "SetHandler") &&
            is_ours(ap_getword_conf(p, &args)))
        {
            return 1;
        }
        if (d->first_child && sets_handler(p, d)) return 1;
    }
    return 0;
}

void bl_conf_find_bases(apr_pool_t *p, bl_server_conf_t *conf,
                        const ap_directive_t *tree)
{
    const ap_directive_t *d;

    for (d = tree; d; d = d->next) {
        if (!strcasecmp(d->directive, "<Location") && sets_handler(p, d)) {
            const char *args = d->args;
            char *base = ap_getword_conf(p, &args);
            size_t len = strlen(base);

            while (len && (base[len - 1] == '/' || base[len - 1] == '>'))
                base[--len] = '\0';
            APR_ARRAY_PUSH(conf->bases, const char *) = base;
        }
        else if (d->first_child) {
            bl_conf_find_bases(p, conf, d->first_child);
        }
    }
}

/* --- checks between directives ------------------------------------------ */

const char *bl_conf_check(apr_pool_t *p, const bl_server_conf_t *conf)
{
    (void)p;
    if (conf->bases->nelts && !conf->database) {
        return "SetHandler " BL_HANDLER " needs a database: add "
               "\"BailianDatabase /var/lib/bailian/bailian.db\" outside of any "
               "VirtualHost";
    }
    if (conf->database && !conf->master_key) {
        return "BailianDatabase needs a master key for the stored API keys: "
               "add \"BailianMasterKey /etc/bailian/master.key\" (made by "
               "\"bailianctl master-key create\")";
    }
    return NULL;
}

/* --- memory (R03) ------------------------------------------------------- */

#define BUDGET_UNKNOWN (1024u * 1024 * 1024) /* nobody says what there is */

apr_uint64_t bl_conf_budget(const bl_server_conf_t *conf)
{
    apr_uint64_t third; /* docs/directives.md tells what comes on top */

    if (conf->memory_budget != BL_UNSET) {
        return (apr_uint64_t)conf->memory_budget;
    }
    third = bl_machine_memory("") / 3;
    if (!third) third = BUDGET_UNKNOWN;
    return third > BL_BUDGET_LEAST ? third : BL_BUDGET_LEAST;
}

static void warn_memory(server_rec *s, const bl_server_conf_t *conf)
{
    apr_uint64_t there = bl_machine_memory("");

    if (conf->memory_budget == BL_UNSET || !there ||
        (apr_uint64_t)conf->memory_budget <= there)
    {
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                 BL_LOGNO(1817) "BailianMemoryBudget: %" APR_INT64_T_FMT
                                " bytes are more than the %" APR_UINT64_T_FMT
                                " that this machine or the control group of "
                                "httpd has: the kernel would end children "
                                "first; set it to a third of that at most",
                 conf->memory_budget, there);
}

/* The argument of a directive wherever it stands, or NULL. */
static const char *find_argument(const ap_directive_t *tree, const char *name)
{
    const char *found;

    for (; tree; tree = tree->next) {
        if (!strcasecmp(tree->directive, name)) return tree->args;
        if (tree->first_child &&
            (found = find_argument(tree->first_child, name))) {
            return found;
        }
    }
    return NULL;
}

static void warn_descriptors(server_rec *s, int streams)
{
    struct rlimit limit;
    long need = (long)streams * FD_PER_STREAM + FD_SPARE;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= (rlim_t)need) {
        return;
    }
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, 0, s,
        BL_LOGNO(
            1811) "%d streams a child need %ld descriptors, the "
                  "limit is %lu: raise LimitNOFILE (systemd) or "
                  "APACHE_ULIMIT_MAX_FILES, or lower BailianMaxStreamsPerChild",
        streams, need, (unsigned long)limit.rlim_cur);
}

static int mpm_warnings; /* of the last start; children inherit it */

int bl_conf_mpm_warnings(void)
{
    return mpm_warnings;
}

/* event.c:connections_above_limit(): the factor counts in whole numbers. */
static void warn_async(server_rec *s, int streams, int threads)
{
    const char *text = find_argument(ap_conftree, "AsyncRequestWorkerFactor");
    int factor = text ? (int)strtol(text, NULL, 10) : 2;
    int spare = 0, daemons = 0, servers = 0;

    ap_mpm_query(AP_MPMQ_MAX_SPARE_THREADS, &spare);
    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &daemons);
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &servers);
    if (threads + threads * factor < streams) {
        mpm_warnings++;
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            BL_LOGNO(
                1813) "a child accepts %d connections, but %d "
                      "streams are allowed in it: set AsyncRequestWorkerFactor "
                      "to %d or more",
            threads + threads * factor, streams, (streams - 1) / threads);
    }
    if (spare < daemons * threads) {
        mpm_warnings++;
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            BL_LOGNO(
                1814) "MaxSpareThreads %d: children whose "
                      "streams are parked look idle and are stopped; set it to "
                      "MaxRequestWorkers (%d)",
            spare, daemons * threads);
    }
    if (servers < 2 * daemons) {
        mpm_warnings++;
        ap_log_error(
            APLOG_MARK, APLOG_WARNING, 0, s,
            BL_LOGNO(
                1815) "ServerLimit %d: a graceful restart needs "
                      "places for old and new children, set it to %d or more",
            servers, 2 * daemons);
    }
}

void bl_conf_warn_mpm(server_rec *s, const bl_server_conf_t *conf)
{
    int threads = 0, daemons = 0, is_async = 0;
    int streams = conf->streams_per_child != BL_UNSET ? conf->streams_per_child
                                                      : BL_STREAMS_PER_CHILD;

    mpm_warnings = 0;
    warn_memory(s, conf);
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &daemons);
    ap_mpm_query(AP_MPMQ_IS_ASYNC, &is_async);
    if (!is_async || threads < 1) {
        mpm_warnings++;
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s,
                     BL_LOGNO(1812) "this MPM holds a thread for each stream, "
                                    "%d at most; the event MPM holds none",
                     (threads > 0 ? threads : 1) * daemons);
        return;
    }
    /* Said only when somebody asked for that many streams: a small server
     * with httpd's own defaults is no mistake. */
    if (conf->streams_per_child == BL_UNSET) return;
    warn_async(s, streams, threads);
    warn_descriptors(s, streams);
}

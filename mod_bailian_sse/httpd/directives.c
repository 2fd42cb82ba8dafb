/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directives - the command table and its setters. A setter's error says what
 * would be right (P13).
 */
#include "config.h"
#include "admin_roles.h"
#include "directives_caller.h"
#include "routes.h"

#include <apr_lib.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MOST 86400

/* "500ms", "3s", "2min", "1h", plain = seconds; -1: anything else. httpd's own
 * parser takes "9h9" and "5mike". */
static bl_ms_t parse_duration(const char *arg)
{
    static const struct {
        const char *unit;
        bl_ms_t ms;
    } units[] = {
        {"", 1000}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}};
    bl_ms_t n = 0;
    const char *at;
    size_t i;

    for (at = arg; *at >= '0' && *at <= '9'; at++) {
        if (at - arg >= 9) return -1;
        n = n * 10 + (*at - '0');
    }
    if (at == arg) return -1;
    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!strcasecmp(at, units[i].unit)) return n * units[i].ms;
    }
    return -1;
}

/* The same, in its range, into *pms. */
static const char *duration(cmd_parms *cmd, const char *arg, bl_ms_t least_ms,
                            bl_ms_t *pms)
{
    bl_ms_t ms = parse_duration(arg);

    if (ms < least_ms || ms > (bl_ms_t)SECONDS_MOST * 1000) {
        return apr_psprintf(cmd->pool,
                            "%s: must be a duration from %dms to %ds, such as "
                            "\"500ms\", \"3s\", \"2min\" or \"1h\", got "
                            "\"%s\"",
                            cmd->cmd->name, (int)least_ms, SECONDS_MOST, arg);
    }
    *pms = ms;
    return NULL;
}

static const char *number(cmd_parms *cmd, const char *arg, apr_int64_t least,
                          apr_int64_t most, apr_int64_t *pn)
{
    char *end;
    apr_int64_t n = apr_strtoi64(arg, &end, 10);

    if (end == arg || *end || n < least || n > most) {
        return apr_psprintf(cmd->pool,
                            "%s: must be %" APR_INT64_T_FMT
                            " to %" APR_INT64_T_FMT ", got \"%s\"",
                            cmd->cmd->name, least, most, arg);
    }
    *pn = n;
    return NULL;
}

static const char *int_number(cmd_parms *cmd, const char *arg, int least,
                              int most, int *pn)
{
    apr_int64_t n = 0;
    const char *err = number(cmd, arg, least, most, &n);

    if (!err) *pn = (int)n;
    return err;
}

static bl_server_conf_t *server_conf(cmd_parms *cmd)
{
    return bl_server_conf(cmd->server);
}

static const char *only_main(cmd_parms *cmd)
{
    return ap_check_cmd_context(cmd, GLOBAL_ONLY);
}

/* --- of the server ------------------------------------------------------ */

static const char *set_path(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *err = only_main(cmd);
    const char **place =
        (const char **)((char *)server_conf(cmd) + (apr_size_t)cmd->info);

    (void)dummy;
    if (err) return err;
    if (*place) {
        return apr_psprintf(cmd->pool, "%s: given twice, first as \"%s\"",
                            cmd->cmd->name, *place);
    }
    if (*arg != '/') {
        return apr_psprintf(cmd->pool,
                            "%s: must be an absolute path, got \"%s\"",
                            cmd->cmd->name, arg);
    }
    *place = arg;
    return NULL;
}

static const char *set_server_int(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *err = only_main(cmd);

    (void)dummy;
    if (err) return err;
    return int_number(
        cmd, arg, 1, BL_DIRECTORY_SLOTS,
        (int *)((char *)server_conf(cmd) + (apr_size_t)cmd->info));
}

static const char *set_drain(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *err = only_main(cmd);

    (void)dummy;
    return err ? err : duration(cmd, arg, 0, &server_conf(cmd)->drain_ms);
}

/* Bytes, also as "64K", "512M", "4G"; -1: anything else. */
static apr_int64_t parse_size(const char *arg)
{
    static const char units[] = "KMG";
    const char *unit;
    char *end;
    apr_int64_t n;

    if (*arg < '0' || *arg > '9' || strlen(arg) > 15) return -1;
    n = apr_strtoi64(arg, &end, 10);
    if (!*end) return n;
    unit = strchr(units, apr_toupper(*end));
    if (!unit || end[1] || n > APR_INT64_MAX >> 30) return -1;
    return n << (10 * (unit - units + 1));
}

static const char *set_budget(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *err = only_main(cmd);
    apr_int64_t bytes = strcasecmp(arg, "off") ? parse_size(arg) : 0;

    (void)dummy;
    if (err) return err;
    if (bytes < 0 || (bytes && bytes < BL_BUDGET_LEAST)) {
        return apr_psprintf(cmd->pool,
                            "%s: must be \"off\", or %d bytes or more (what "
                            "the largest answer takes), such as \"%dM\" or "
                            "\"4G\", got \"%s\"",
                            cmd->cmd->name, BL_BUDGET_LEAST,
                            BL_BUDGET_LEAST / (1024 * 1024), arg);
    }
    server_conf(cmd)->memory_budget = bytes;
    return NULL;
}

static const char *add_network(cmd_parms *cmd, void *dummy, const char *arg)
{
    bl_allowed_t *allowed = &server_conf(cmd)->allowed;
    const char *err = only_main(cmd);

    (void)dummy;
    if (err) return err;
    if (allowed->network_count == BL_MAX_NETWORKS) {
        return apr_psprintf(cmd->pool, "%s: %d networks at most",
                            cmd->cmd->name, BL_MAX_NETWORKS);
    }
    if (bl_network_parse(&allowed->networks[allowed->network_count], arg) !=
        APR_SUCCESS)
    {
        return apr_psprintf(cmd->pool,
                            "%s: must be an address or a network, such as "
                            "\"10.0.0.0/8\" or \"fd00::/8\", got \"%s\"",
                            cmd->cmd->name, arg);
    }
    allowed->network_count++;
    return NULL;
}

static const char *add_plain(cmd_parms *cmd, void *dummy, const char *arg)
{
    bl_allowed_t *allowed = &server_conf(cmd)->allowed;
    const char *err = only_main(cmd);

    (void)dummy;
    if (err) return err;
    if (allowed->plain_count == BL_MAX_PLAIN) {
        return apr_psprintf(cmd->pool, "%s: %d hosts at most", cmd->cmd->name,
                            BL_MAX_PLAIN);
    }
    if (strpbrk(arg, "/@?#*")) {
        return apr_psprintf(cmd->pool,
                            "%s: must be a host or host:port, such as "
                            "\"bailian.intranet:8080\", got \"%s\"",
                            cmd->cmd->name, arg);
    }
    allowed->plain[allowed->plain_count++] = apr_pstrdup(cmd->pool, arg);
    return NULL;
}

/* --- of a Location ------------------------------------------------------ */

static const char *set_flag(cmd_parms *cmd, void *dir, int flag)
{
    *(int *)((char *)dir + (apr_size_t)cmd->info) = flag;
    return NULL;
}

static const char *set_async(cmd_parms *cmd, void *dir, const char *arg)
{
    bl_dir_conf_t *conf = dir;

    if (!strcasecmp(arg, "auto"))
        conf->async = BL_ASYNC_AUTO;
    else if (!strcasecmp(arg, "sync"))
        conf->async = BL_ASYNC_SYNC;
    else
        return apr_psprintf(cmd->pool,
                            "%s: must be \"auto\" or \"sync\", got \"%s\"",
                            cmd->cmd->name, arg);
    return NULL;
}

static const char *set_metrics(cmd_parms *cmd, void *dir, const char *arg)
{
    bl_dir_conf_t *conf = dir;

    if (!strcasecmp(arg, "admin"))
        conf->metrics = BL_METRICS_ADMIN;
    else if (!strcasecmp(arg, "location"))
        conf->metrics = BL_METRICS_LOCATION;
    else if (!strcasecmp(arg, "off"))
        conf->metrics = BL_METRICS_OFF;
    else
        return apr_psprintf(cmd->pool,
                            "%s: must be \"admin\", \"location\" or \"off\", "
                            "got \"%s\"",
                            cmd->cmd->name, arg);
    return NULL;
}

static const char *set_app(cmd_parms *cmd, void *dir, const char *arg)
{
    if (!*arg || strlen(arg) >= BL_NAME_BYTES) {
        return apr_psprintf(cmd->pool,
                            "%s: must be the name of an app of the database, "
                            "1 to %d bytes",
                            cmd->cmd->name, BL_NAME_BYTES - 1);
    }
    ((bl_dir_conf_t *)dir)->app = arg;
    return NULL;
}

static const char *set_duration(cmd_parms *cmd, void *dir, const char *arg)
{
    return duration(cmd, arg, 10,
                    (bl_ms_t *)((char *)dir + (apr_size_t)cmd->info));
}

static const char *set_retry(cmd_parms *cmd, void *dir, const char *pace,
                             const char *n, const char *interval)
{
    bl_dir_conf_t *conf = dir;
    const char *err;

    if (!strcasecmp(pace, "off") && !n) {
        conf->pace = BL_RETRY_OFF;
        conf->retries = 0;
        return NULL;
    }
    if (!strcasecmp(pace, "fixed")) {
        conf->pace = BL_RETRY_FIXED;
        conf->retry_ms = BL_DEF_RETRY_FIXED_MS;
    }
    else if (!strcasecmp(pace, "exponential")) {
        conf->pace = BL_RETRY_EXPONENTIAL;
        conf->retry_ms = BL_DEF_RETRY_EXP_MS;
    }
    else {
        return apr_psprintf(cmd->pool,
                            "%s: must be \"off\", \"fixed <retries> "
                            "<interval>\" or \"exponential <retries> "
                            "<base>\", got \"%s\"",
                            cmd->cmd->name, pace);
    }
    conf->retries = BL_DEF_RETRIES;
    err = n ? int_number(cmd, n, 0, 10, &conf->retries) : NULL;
    if (!err && interval) err = duration(cmd, interval, 1, &conf->retry_ms);
    return err;
}

static const char *set_disconnect(cmd_parms *cmd, void *dir, const char *policy,
                                  const char *ttl)
{
    bl_dir_conf_t *conf = dir;

    if (!strcasecmp(policy, "cancel") && !ttl)
        conf->policy = BL_POLICY_CANCEL;
    else if (!strcasecmp(policy, "drain") && !ttl)
        conf->policy = BL_POLICY_DRAIN;
    else if (!strcasecmp(policy, "detach")) {
        conf->policy = BL_POLICY_DETACH;
        return ttl ? duration(cmd, ttl, 100, &conf->detach_ms) : NULL;
    }
    else
        return apr_psprintf(cmd->pool,
                            "%s: must be \"cancel\", \"drain\" or \"detach "
                            "<time>\", got \"%s\"",
                            cmd->cmd->name, policy);
    return NULL;
}

static const char *set_queue(cmd_parms *cmd, void *dir, const char *arg)
{
    return number(cmd, arg, 16 * 1024, 16 * 1024 * 1024,
                  &((bl_dir_conf_t *)dir)->queue_bytes);
}

static const char *set_principal(cmd_parms *cmd, void *dir, const char *arg)
{
    return int_number(cmd, arg, 1, BL_DIRECTORY_SLOTS,
                      &((bl_dir_conf_t *)dir)->streams_per_principal);
}

static const char *set_per_minute(cmd_parms *cmd, void *dir, const char *arg)
{
    return int_number(cmd, arg, 0, 1000000,
                      (int *)((char *)dir + (apr_size_t)cmd->info));
}

static const char *set_tokens(cmd_parms *cmd, void *dir, const char *arg)
{
    return number(cmd, arg, 0, APR_INT64_C(1000000000000000),
                  &((bl_dir_conf_t *)dir)->tokens_per_day);
}

static const char *set_body(cmd_parms *cmd, void *dir, const char *arg)
{
    return number(cmd, arg, 1024, 64 * 1024 * 1024,
                  &((bl_dir_conf_t *)dir)->body_bytes);
}

static const char *set_places(cmd_parms *cmd, void *dir, const char *arg)
{
    return int_number(cmd, arg, 1, BL_SOCKET_PLACES,
                      (int *)((char *)dir + (apr_size_t)cmd->info));
}

static const char *set_message(cmd_parms *cmd, void *dir, const char *arg)
{
    return number(cmd, arg, 1024, 64 * 1024 * 1024,
                  &((bl_dir_conf_t *)dir)->ws_message_bytes);
}

#define SERVER(field) (void *)APR_OFFSETOF(bl_server_conf_t, field)
#define DIR(field) (void *)APR_OFFSETOF(bl_dir_conf_t, field)
#define WHERE (ACCESS_CONF | RSRC_CONF)

const command_rec bl_directives[] = {
    AP_INIT_TAKE1("BailianDatabase", set_path, SERVER(database), RSRC_CONF,
                  "path of the SQLite database; no default"),
    AP_INIT_TAKE1("BailianMasterKey", set_path, SERVER(master_key), RSRC_CONF,
                  "path of the file with the master keys; no default"),
    AP_INIT_TAKE1("BailianMaxStreamsPerChild", set_server_int,
                  SERVER(streams_per_child), RSRC_CONF,
                  "live streams of one child, 1 to 32768; default 4000"),
    AP_INIT_TAKE1("BailianMaxStreams", set_server_int, SERVER(streams_all),
                  RSRC_CONF,
                  "live streams of all children, 1 to 32768; default 10000"),
    AP_INIT_TAKE1("BailianMemoryBudget", set_budget, NULL, RSRC_CONF,
                  "bytes that streams of all children hold, from 32M, or off; "
                  "default: half of what the machine or the control group has"),
    AP_INIT_TAKE1("BailianDrainTimeout", set_drain, NULL, RSRC_CONF,
                  "how long running streams may go on after a graceful "
                  "restart, 0 to 86400s; default 30s"),
    AP_INIT_ITERATE("BailianAllowNetwork", add_network, NULL, RSRC_CONF,
                    "networks of upstreams that are not public; none"),
    AP_INIT_ITERATE("BailianAllowPlainHttp", add_plain, NULL, RSRC_CONF,
                    "hosts (host or host:port) of upstreams that may be "
                    "spoken to without TLS; none"),
    AP_INIT_FLAG("BailianAnonymous", set_flag, DIR(is_anonymous), WHERE,
                 "on: callers without a login are let in; default off"),
    AP_INIT_FLAG("BailianChatPage", set_flag, DIR(has_chat_page), WHERE,
                 "on: the bundled chat page is served; default on"),
    AP_INIT_TAKE1("BailianAsync", set_async, NULL, WHERE,
                  "auto: park connections where that is possible; sync: hold a "
                  "thread for each stream; default auto"),
    AP_INIT_TAKE1("BailianMetrics", set_metrics, NULL, WHERE,
                  "admin: who may read the admin page reads the metrics; "
                  "location: whom Require lets in here, without a login; off; "
                  "default admin"),
    AP_INIT_TAKE1("BailianApp", set_app, NULL, WHERE,
                  "app for requests that name none; default: the database's"),
    AP_INIT_TAKE1("BailianHeartbeatFirst", set_duration,
                  DIR(heartbeat_first_ms), WHERE,
                  "heartbeat until the first content, from 10ms; default 3s"),
    AP_INIT_TAKE1("BailianHeartbeat", set_duration, DIR(heartbeat_ms), WHERE,
                  "heartbeat after that much silence, from 10ms; default 15s"),
    AP_INIT_TAKE1("BailianConnectTimeout", set_duration, DIR(connect_ms), WHERE,
                  "connecting to the upstream, from 10ms; default 5s"),
    AP_INIT_TAKE1("BailianFirstContentTimeout", set_duration,
                  DIR(first_content_ms), WHERE,
                  "first content of an attempt, from 10ms; default 30s"),
    AP_INIT_TAKE1("BailianGapTimeout", set_duration, DIR(gap_ms), WHERE,
                  "silence in mid-answer, from 10ms; default 60s"),
    AP_INIT_TAKE1("BailianStreamTimeout", set_duration, DIR(total_ms), WHERE,
                  "the whole stream, from 10ms; default 900s"),
    AP_INIT_TAKE123("BailianRetry", set_retry, NULL, WHERE,
                    "off | fixed <0-10> <interval> | exponential <0-10> "
                    "<base>; default fixed 3 2s"),
    AP_INIT_TAKE12("BailianDisconnect", set_disconnect, NULL, WHERE,
                   "cancel | drain | detach <time>: what happens when nobody "
                   "reads any more; default detach 60s"),
    AP_INIT_TAKE1("BailianQueueSize", set_queue, NULL, WHERE,
                  "bytes that wait for one client, 16384 to 16777216; default "
                  "262144"),
    AP_INIT_TAKE1("BailianSlowClientTimeout", set_duration, DIR(slow_ms), WHERE,
                  "how long a client may take nothing, from 10ms; default 60s"),
    AP_INIT_TAKE1("BailianMaxStreamsPerPrincipal", set_principal, NULL, WHERE,
                  "live streams of one caller, 1 to 32768; default 20"),
    AP_INIT_TAKE1("BailianMaxBody", set_body, NULL, WHERE,
                  "bytes of a request body, 1024 to 67108864; default 1048576"),
    AP_INIT_RAW_ARGS("BailianAdminRole", bl_set_admin_role, NULL, WHERE,
                     "viewer | operator | admin, then what Require takes: who "
                     "has this role on the admin page; default: whoever is let "
                     "in is admin"),
    AP_INIT_TAKE1("BailianMaxWebSockets", set_server_int, SERVER(sockets_all),
                  RSRC_CONF,
                  "WebSocket connections of all children, 1 to 32768; default "
                  "1000"),
    AP_INIT_TAKE1("BailianMaxWebSocketsPerPrincipal", set_places,
                  DIR(sockets_per_principal), WHERE,
                  "WebSocket connections of one caller, 1 to 32768; default "
                  "64"),
    AP_INIT_TAKE1("BailianWebSocketMaxMessage", set_message, NULL, WHERE,
                  "bytes of a message, 1024 to 67108864; default 1048576"),
    AP_INIT_TAKE1("BailianWebSocketMaxFrames", set_places, DIR(ws_frames),
                  WHERE, "frames of a message, 1 to 32768; default 128"),
    AP_INIT_TAKE1("BailianWebSocketMaxControlFrames", set_places,
                  DIR(ws_controls), WHERE,
                  "control frames a second, 1 to 32768; default 10"),
    AP_INIT_TAKE1("BailianWebSocketRate", set_places, DIR(ws_rate), WHERE,
                  "messages a minute, 1 to 32768; default 100"),
    AP_INIT_TAKE1("BailianWebSocketHeartbeat", set_duration, DIR(ws_beat_ms),
                  WHERE, "ping and heartbeat every, from 10ms; default 30s"),
    AP_INIT_TAKE1("BailianWebSocketIdleTimeout", set_duration, DIR(ws_idle_ms),
                  WHERE,
                  "how long a client may be silent, from 10ms; default 300s"),
    AP_INIT_TAKE_ARGV("BailianJwtIssuer", bl_set_jwt_issuer, NULL, ACCESS_CONF,
                      "<name> <HS256|RS256|ES256> <file> [iss=<text>] "
                      "[aud=<text>] [leeway=<seconds>]; none"),
    AP_INIT_FLAG("BailianTokenInQuery", set_flag, DIR(is_query_token), WHERE,
                 "on: ?token= is a credential; default off"),
    AP_INIT_ITERATE("BailianAllowOrigin", bl_add_origin, NULL, ACCESS_CONF,
                    "origins whose pages may call, scheme://host[:port] or *; "
                    "none"),
    AP_INIT_FLAG("BailianAllowCredentials", bl_set_credentials, NULL,
                 ACCESS_CONF,
                 "on: pages of allowed origins may call with the browser's "
                 "own login or cookies; default off"),
    AP_INIT_TAKE1("BailianStartsPerMinute", set_per_minute,
                  DIR(starts_per_minute), WHERE,
                  "answers one caller may start a minute, 0 to 1000000; "
                  "default 0, any number"),
    AP_INIT_TAKE1("BailianStartsPerMinutePerAddress", set_per_minute,
                  DIR(starts_per_address), WHERE,
                  "answers one address may start a minute, 0 to 1000000; "
                  "default 0, any number"),
    AP_INIT_TAKE1("BailianTokensPerDay", set_tokens, NULL, WHERE,
                  "tokens one caller may use a day, 0 to 1000000000000000; "
                  "default 0, any number"),
    AP_INIT_TAKE1("BailianSessionKeep", set_duration, DIR(session_ms), WHERE,
                  "how long a finished session can be polled, from 10ms; "
                  "default 600s"),
    AP_INIT_TAKE2("BailianRoute", bl_add_route, NULL, ACCESS_CONF,
                  "<path> <route>: a route of docs/protocol.md at a path of "
                  "your own, such as \"/v2/ask stream\"; none"),
    {NULL, {NULL}, NULL, 0, RAW_ARGS, NULL}};

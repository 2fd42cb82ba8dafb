/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errors - the one table of what can go wrong (fault-matrix.md 1.3).
 *
 * A line: X(NAME, HTTP status, wire code, module retries, client may retry,
 * English sentence, Chinese sentence). Clients get the wire code and its
 * sentence, never internal text. docs/errors.md is checked against it.
 *
 * Our codes live in APR's range for applications, so that every function can
 * return apr_status_t.
 */
#ifndef BL_ERRORS_H
#define BL_ERRORS_H

#include "bl.h"

typedef enum { BL_LANG_EN = 0, BL_LANG_ZH = 1 } bl_lang_t;

/* Does the module itself try again, before any content (I12)? */
typedef enum { BL_RETRY_NO, BL_RETRY_YES, BL_RETRY_ONCE } bl_retry_t;

#define BL_ERROR_TABLE(X)                                                      \
    X(UPSTREAM_DNS, 502, "upstream_dns", YES, 1,                               \
      "The model service's name could not be resolved.",                       \
      "无法解析模型服务的域名。")                                              \
    X(UPSTREAM_CONNECT, 502, "upstream_connect", YES, 1,                       \
      "The model service could not be reached.", "无法连接模型服务。")         \
    X(UPSTREAM_TLS, 502, "upstream_tls", NO, 0,                                \
      "The model service's certificate was not accepted.",                     \
      "模型服务的证书未通过验证。")                                            \
    X(UPSTREAM_AUTH, 502, "upstream_auth", NO, 0,                              \
      "The model service refused the server's credentials.",                   \
      "模型服务拒绝了服务器的凭证。")                                          \
    X(UPSTREAM_QUOTA, 429, "upstream_quota", YES, 1,                           \
      "The model service is limiting requests; try again later.",              \
      "模型服务正在限流，请稍后再试。")                                        \
    X(UPSTREAM_REJECTED, 400, "upstream_rejected", NO, 0,                      \
      "The model service rejected this request.", "模型服务拒绝了此请求。")    \
    X(UPSTREAM_UNAVAILABLE, 502, "upstream_unavailable", YES, 1,               \
      "The model service is unavailable at the moment.",                       \
      "模型服务暂时不可用。")                                                  \
    X(UPSTREAM_FIRST_TIMEOUT, 504, "upstream_first_timeout", YES, 1,           \
      "The model service did not begin to answer in time.",                    \
      "模型服务未能及时开始回答。")                                            \
    X(UPSTREAM_STALLED, 504, "upstream_stalled", NO, 1,                        \
      "The model service stopped in the middle of the answer.",                \
      "模型服务在回答途中停止响应。")                                          \
    X(TIMEOUT, 504, "timeout", NO, 1,                                          \
      "The answer took longer than is allowed.", "回答超过了允许的最长时间。") \
    X(UPSTREAM_CUT, 502, "upstream_cut", YES, 1,                               \
      "The connection to the model service broke before the answer ended.",    \
      "与模型服务的连接在回答结束前中断。")                                    \
    X(UPSTREAM_GARBAGE, 502, "upstream_garbage", ONCE, 0,                      \
      "The model service sent something that is not an answer.",               \
      "模型服务返回了无法识别的内容。")                                        \
    X(UPSTREAM_TOO_LARGE, 502, "upstream_too_large", NO, 0,                    \
      "The model service sent more than is allowed at once.",                  \
      "模型服务单次返回的数据过大。")                                          \
    X(CANCELLED, 409, "cancelled", NO, 0, "The answer was stopped.",           \
      "回答已被停止。")                                                        \
    X(INTERRUPTED, 503, "interrupted", NO, 1,                                  \
      "The server was interrupted while it answered.",                         \
      "服务器在回答过程中被中断。")                                            \
    X(DRAINING, 503, "draining", NO, 1,                                        \
      "The server is restarting; reconnect to go on reading.",                 \
      "服务器正在重启，请重新连接以继续接收。")                                \
    X(OVERLOADED, 503, "overloaded", NO, 1,                                    \
      "The server is at its limit; try again shortly.",                        \
      "服务器已达上限，请稍后再试。")                                          \
    X(STORE_UNAVAILABLE, 503, "store_unavailable", NO, 1,                      \
      "The server's database is not available at the moment.",                 \
      "服务器数据库暂时不可用。")                                              \
    X(STORE_CORRUPT, 503, "store_corrupt", NO, 0,                              \
      "The server's database is damaged.", "服务器数据库已损坏。")             \
    X(KEYRING_MISSING, 503, "keyring_missing", NO, 0,                          \
      "The server cannot open its stored API keys.",                           \
      "服务器无法读取已保存的 API Key。")                                      \
    X(BODY_TOO_LARGE, 413, "body_too_large", NO, 0,                            \
      "The request body is too large.", "请求体过大。")                        \
    X(BAD_JSON, 400, "bad_json", NO, 0, "The request body is not valid JSON.", \
      "请求体不是有效的 JSON。")                                               \
    X(BAD_UTF8, 400, "bad_utf8", NO, 0,                                        \
      "The request holds text that is not valid UTF-8.",                       \
      "请求中含有无效的 UTF-8 文本。")                                         \
    X(TOO_DEEP, 400, "too_deep", NO, 0,                                        \
      "The request's JSON is nested too deeply.", "请求 JSON 嵌套过深。")      \
    X(BAD_HEADER, 400, "bad_header", NO, 0, "A request header is not valid.",  \
      "请求头无效。")                                                          \
    X(BAD_VALUE, 400, "bad_value", NO, 0,                                      \
      "A field of the request has a value that is not allowed.",               \
      "请求中某个字段的值不被允许。")                                          \
    X(BAD_TYPE, 415, "bad_type", NO, 0,                                        \
      "The request body must be application/json.",                            \
      "请求体必须是 application/json。")                                       \
    X(SLOW_REQUEST, 408, "slow_request", NO, 1,                                \
      "The request took too long to arrive.", "请求发送超时。")                \
    X(BAD_METHOD, 405, "bad_method", NO, 0,                                    \
      "This method is not allowed here.", "此处不允许该方法。")                \
    X(UPGRADE_REQUIRED, 426, "upgrade_required", NO, 0,                        \
      "This address answers to WebSocket version 13 only.",                    \
      "此地址仅支持 WebSocket 版本 13。")                                      \
    X(UNAUTHENTICATED, 401, "unauthenticated", NO, 0, "A login is required.",  \
      "需要登录。")                                                            \
    X(FORBIDDEN, 403, "forbidden", NO, 0, "This is not allowed.",              \
      "没有权限。")                                                            \
    X(ORIGIN_REFUSED, 403, "origin_refused", NO, 0,                            \
      "Requests from this origin are not allowed.", "不允许该来源的请求。")    \
    X(CSRF_REFUSED, 403, "csrf_refused", NO, 0,                                \
      "This request did not come from the page itself.",                       \
      "该请求并非来自本页面。")                                                \
    X(NOT_FOUND, 404, "not_found", NO, 0, "There is no such thing here.",      \
      "未找到。")                                                              \
    X(CONFLICT, 409, "conflict", NO, 0,                                        \
      "Something with this name exists already.", "同名对象已存在。")          \
    X(VERSION_CONFLICT, 412, "version_conflict", NO, 0,                        \
      "It was changed by somebody else in the meantime.",                      \
      "内容已被他人修改。")                                                    \
    X(NO_VERSION, 428, "precondition_required", NO, 0,                         \
      "The change must name the version it is based on (If-Match).",           \
      "修改请求必须用 If-Match 注明所基于的版本。")                            \
    X(TRIMMED, 410, "events_trimmed", NO, 0,                                   \
      "The events asked for are no longer kept.", "所请求的事件已不再保留。")  \
    X(RATE_LIMITED, 429, "rate_limited", NO, 1,                                \
      "Too many requests; try again later.", "请求过多，请稍后再试。")         \
    X(NO_APP, 503, "no_app", NO, 0, "No app is configured for this request.",  \
      "未配置可用的应用。")                                                    \
    X(INTERNAL, 500, "internal", NO, 0, "Something went wrong in the server.", \
      "服务器内部错误。")

enum {
    BL_E_BASE = APR_OS_START_USERERR + 7000,
#define X(name, http, code, mod, client, en, zh) BL_E_##name,
    BL_ERROR_TABLE(X)
#undef X
        BL_E_END
};

typedef struct bl_error_t {
    apr_status_t status;
    const char *name; /* "UPSTREAM_DNS" */
    int http;
    const char *code; /* on the wire: "upstream_dns" */
    bl_retry_t retry; /* by the module, before content */
    int client_may_retry;
    const char *en;
    const char *zh;
} bl_error_t;

/* The table's line for a status; anything unknown is INTERNAL. Never NULL.
 * APR_SUCCESS has no line: asking for it is INTERNAL too. Any thread. */
const bl_error_t *bl_error(apr_status_t status);

/* Its sentence for a client. */
const char *bl_error_sentence(const bl_error_t *e, bl_lang_t lang);

/* The line with this wire code, or NULL. */
const bl_error_t *bl_error_by_code(const char *code);

/* Puts a sentence for the admin into err (NULL and 0 are fine), cut to size,
 * and answers rv: `return bl_error_say(BL_E_BAD_VALUE, err, size, "...")`. */
apr_status_t bl_error_say(apr_status_t rv, char *err, size_t size,
                          const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Number of lines, and line i of them: for guards and documents. */
int bl_error_count(void);
const bl_error_t *bl_error_at(int i);

#endif

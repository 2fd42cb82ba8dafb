/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_webhook - a message to a webhook, in the shape its receiver wants:
 * our own JSON, or a text message of a DingTalk, WeCom or Feishu robot.
 *
 * THREADS  as any dialect.
 */
#ifndef BL_DIALECT_WEBHOOK_H
#define BL_DIALECT_WEBHOOK_H

#include "upstream/dialect.h"

/* No kind of upstream, so bl_dialect_find() does not know it. A robot that
 * answers 200 with an error code of its own is BL_E_UPSTREAM_REJECTED, and the
 * code stands in answer->failure_code. */
extern const bl_dialect_t bl_dialect_webhook;

typedef struct bl_message_t {
    const char *shape; /* "generic", "dingtalk", "wecom", "feishu" */
    const char *alert; /* its name */
    const char *rule;  /* "errors" ... or "test" */
    const char *state; /* "firing", "resolved", "test" */
    const char *text;  /* for people */
    apr_time_t at;
    apr_int64_t value, limit; /* -1: there is none */
} bl_message_t;

apr_status_t bl_webhook_request(const char *url, const bl_message_t *m,
                                bl_request_t *rq);

#endif

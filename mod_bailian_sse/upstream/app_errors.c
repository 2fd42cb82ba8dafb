/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/dialect_app.h"

#include <string.h>
#include <strings.h>

#include "base/errors.h"

typedef struct code_t {
    const char *code; /* also matches what goes on with a dot */
    apr_status_t status;
    int retry; /* -1 by class, else bl_retry_t */
    int is_exhausted;
} code_t;

#define REJECTED BL_E_UPSTREAM_REJECTED
#define AUTH BL_E_UPSTREAM_AUTH
#define QUOTA BL_E_UPSTREAM_QUOTA
#define DOWN BL_E_UPSTREAM_UNAVAILABLE

/* bailian.md 7.2, in both spellings; the longer of two that begin alike comes
 * first. Money that has run out is QUOTA: another key may still have some. */
static const code_t codes[] = {
    {"InvalidURL.Timeout", REJECTED, BL_RETRY_ONCE, 0},
    {"InvalidApiKey", AUTH, BL_RETRY_NO, 0},
    {"invalid_api_key", AUTH, BL_RETRY_NO, 0},
    {"NOT AUTHORIZED", AUTH, BL_RETRY_NO, 0},
    {"AccessDenied", AUTH, BL_RETRY_NO, 0},
    {"access_denied", AUTH, BL_RETRY_NO, 0},
    {"Model.AccessDenied", AUTH, BL_RETRY_NO, 0},
    {"Workspace.AccessDenied", AUTH, BL_RETRY_NO, 0},
    {"App.AccessDenied", AUTH, BL_RETRY_NO, 0},
    {"AllocationQuota.FreeTierOnly", QUOTA, BL_RETRY_NO, 1},
    {"Arrearage", QUOTA, BL_RETRY_NO, 1},
    {"CommodityNotPurchased", QUOTA, BL_RETRY_NO, 1},
    {"PrepaidBillOverdue", QUOTA, BL_RETRY_NO, 1},
    {"PostpaidBillOverdue", QUOTA, BL_RETRY_NO, 1},
    {"Throttling", QUOTA, BL_RETRY_YES, 0},
    {"LimitRequests", QUOTA, BL_RETRY_YES, 0},
    {"limit_requests", QUOTA, BL_RETRY_YES, 0},
    {"limit_burst_rate", QUOTA, BL_RETRY_YES, 0},
    {"insufficient_quota", QUOTA, BL_RETRY_YES, 0},
    {"InternalError.Algo.InvalidParameter", REJECTED, BL_RETRY_NO, 0},
    {"InternalError.Algo.DataInspectionFailed", REJECTED, BL_RETRY_NO, 0},
    {"InternalError", DOWN, BL_RETRY_YES, 0},
    {"internal_error", DOWN, BL_RETRY_YES, 0},
    {"SystemError", DOWN, BL_RETRY_YES, 0},
    {"ModelServiceFailed", DOWN, BL_RETRY_YES, 0},
    {"ModelServingError", DOWN, BL_RETRY_YES, 0},
    {"ModelUnavailable", DOWN, BL_RETRY_YES, 0},
    {"RequestTimeOut", DOWN, BL_RETRY_ONCE, 0},
    {"InvokePluginFailed", DOWN, BL_RETRY_ONCE, 0},
    {"AppProcessFailed", DOWN, BL_RETRY_ONCE, 0},
    {"RewriteFailed", DOWN, BL_RETRY_ONCE, 0},
    {"RetrivalFailed", DOWN, BL_RETRY_ONCE, 0},
    {"InvalidParameter", REJECTED, BL_RETRY_NO, 0},
    {"invalid_parameter_error", REJECTED, BL_RETRY_NO, 0},
    {"invalid_request_error", REJECTED, BL_RETRY_NO, 0},
    {"InvalidSchema", REJECTED, BL_RETRY_NO, 0},
    {"InvalidSchemaFormat", REJECTED, BL_RETRY_NO, 0},
    {"InvalidInputLength", REJECTED, BL_RETRY_NO, 0},
    {"InvalidURL", REJECTED, BL_RETRY_NO, 0},
    {"InvalidFile", REJECTED, BL_RETRY_NO, 0},
    {"UnsupportedOperation", REJECTED, BL_RETRY_NO, 0},
    {"DataInspectionFailed", REJECTED, BL_RETRY_NO, 0},
    {"data_inspection_failed", REJECTED, BL_RETRY_NO, 0},
    {"FaqRuleBlocked", REJECTED, BL_RETRY_NO, 0},
    {"CustomRoleBlocked", REJECTED, BL_RETRY_NO, 0},
    {"IPInfringementSuspect", REJECTED, BL_RETRY_NO, 0},
    {"BadRequest", REJECTED, BL_RETRY_NO, 0},
    {"BadRequestException", REJECTED, BL_RETRY_NO, 0},
    {"FlowNotPublished", REJECTED, BL_RETRY_NO, 0},
    {"ServiceUnavailableError", REJECTED, BL_RETRY_NO, 0}, /* so named */
    {"App.InvalidAppId", REJECTED, BL_RETRY_NO, 0},
    {"InvalidAppId", REJECTED, BL_RETRY_NO, 0},
    {"ModelNotFound", REJECTED, BL_RETRY_NO, 0},
    {"model_not_found", REJECTED, BL_RETRY_NO, 0},
    {"model_not_supported", REJECTED, BL_RETRY_NO, 0},
    {"WorkSpaceNotFound", REJECTED, BL_RETRY_NO, 0},
    {"NotFound", REJECTED, BL_RETRY_NO, 0},
    {"Conflict", REJECTED, BL_RETRY_NO, 0},
};

static int is_code(const char *text, const char *code)
{
    size_t n = strlen(code);

    return !strncmp(text, code, n) && (!text[n] || text[n] == '.');
}

static const code_t *find_code(const char *text)
{
    size_t i;

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (is_code(text, codes[i].code)) return &codes[i];
    }
    return NULL;
}

static int has_words(const bl_json_value_t *message, const char *words)
{
    char text[512];

    bl_json_copy_text(text, sizeof(text), message);
    return strcasestr(text, words) != NULL;
}

/* One code, two meanings: the message tells (bailian.md 7.2). */
static void look_at_message(bl_answer_t *answer, const bl_json_value_t *message)
{
    if (answer->failure == QUOTA && answer->failure_http == 400) {
        answer->retry_of_code = BL_RETRY_NO; /* voice and hot-word quotas */
    }
    if (answer->failure == QUOTA &&
        has_words(message, "allocated quota exceeded") &&
        has_words(message, "free"))
    {
        answer->is_quota_exhausted = 1;
        answer->retry_of_code = BL_RETRY_NO;
    }
    if (answer->failure == DOWN &&
        !strcmp(answer->failure_code, "InternalError.Algo") &&
        has_words(message, "list index out of range"))
    {
        answer->failure = REJECTED;
        answer->retry_of_code = BL_RETRY_NO;
    }
}

apr_status_t bl_app_class(bl_answer_t *answer, int http,
                          const bl_json_value_t *code,
                          const bl_json_value_t *message)
{
    const code_t *c;

    bl_json_copy_text(answer->failure_code, sizeof(answer->failure_code), code);
    answer->failure_http = http;
    answer->retry_of_code = -1;
    answer->is_quota_exhausted = 0;
    c = find_code(answer->failure_code);
    if (c) {
        answer->failure = c->status;
        answer->retry_of_code = c->retry;
        answer->is_quota_exhausted = c->is_exhausted;
    }
    else if (http >= 400)
        answer->failure = bl_class_of_http(http);
    else {
        /* An error it is, but of a kind nobody has seen: once more. */
        answer->failure = DOWN;
        answer->retry_of_code = BL_RETRY_ONCE;
    }
    look_at_message(answer, message);
    return answer->failure;
}

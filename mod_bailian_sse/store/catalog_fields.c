/* SPDX-License-Identifier: Apache-2.0 */
#include "store/catalog_fields.h"

#include "store/flow.h"
#include "store/names.h"

#include <string.h>

#define URL_MOST 1024
#define PATH_MOST 1024
#define NOTE_MOST 2000 /* bytes: 500 characters of any script */
#define DAY_MS (24 * 3600 * 1000)
#define NAMES_MOST 200

/* name, required, ... */
#define TEXT(name, is_required, most, check)                                   \
    {                                                                          \
        name, BL_FIELD_TEXT, is_required, most, check, 0                       \
    }
#define BOOL(name)                                                             \
    {                                                                          \
        name, BL_FIELD_BOOL, 1, 0, NULL, 0                                     \
    }
#define NUMBER(name, least, most)                                              \
    {                                                                          \
        name, BL_FIELD_NUMBER, 0, most, NULL, least                            \
    }
#define NEEDED(name, least, most)                                              \
    {                                                                          \
        name, BL_FIELD_NUMBER, 1, most, NULL, least                            \
    }
#define NAMES(name)                                                            \
    {                                                                          \
        name, BL_FIELD_NAMES, 1, NAMES_MOST, NULL, 0                           \
    }
#define END                                                                    \
    {                                                                          \
        NULL, BL_FIELD_TEXT, 0, 0, NULL, 0                                     \
    }

static const char *kind_complaint(const char *kind)
{
    return strcmp(kind, "bailian-app") ? BL_SAY("must be \"bailian-app\"")
                                       : NULL;
}

static const char *path_complaint(const char *path)
{
    return path[0] == '/' ? NULL : BL_SAY("must be an absolute path");
}

static const char *flow_complaint(const char *flow)
{
    bl_flow_mode_t mode;

    return bl_flow_from_name(flow, &mode)
               ? NULL
               : BL_SAY("must be none, full_thoughts, message_format, "
                        "message_format_plus or agent_format");
}

static const char *pace_complaint(const char *pace)
{
    return !strcmp(pace, "off") || !strcmp(pace, "fixed") ||
                   !strcmp(pace, "exponential")
               ? NULL
               : BL_SAY("must be off, fixed or exponential");
}

/* S-30: it goes into one slot of the path. */
static const char *app_id_complaint(const char *id)
{
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789._:/-");

    return id[n] || strstr(id, "..") ? BL_SAY("must be letters, digits and . _ "
                                              ": / - without two dots in a "
                                              "row")
                                     : NULL;
}

static const char *name_complaint(const char *name)
{
    return bl_name_is_valid(name) ? NULL
                                  : BL_SAY("must be letters, digits, dots, "
                                           "hyphens and underscores, not "
                                           "beginning with a dot or hyphen");
}

const bl_field_t bl_upstream_fields[] = {
    TEXT("kind", 1, 31, kind_complaint),
    TEXT("baseUrl", 1, URL_MOST, bl_url_complaint),
    TEXT("workspace", 0, 127, NULL),
    TEXT("caFile", 0, PATH_MOST, path_complaint),
    TEXT("proxy", 0, URL_MOST, bl_url_complaint),
    BOOL("http2"),
    TEXT("region", 0, 127, NULL),
    TEXT("note", 0, NOTE_MOST, NULL),
    NUMBER("connectTimeoutMs", 0, DAY_MS),
    NUMBER("firstContentTimeoutMs", 0, DAY_MS),
    NUMBER("gapTimeoutMs", 0, DAY_MS),
    NUMBER("totalTimeoutMs", 0, DAY_MS),
    END,
};

const bl_field_t bl_app_fields[] = {
    TEXT("upstream", 1, BL_NAME_BYTES - 1, NULL),
    TEXT("appId", 1, 128, app_id_complaint),
    BOOL("default"),
    BOOL("incremental"),
    BOOL("thoughts"),
    {"thinking", BL_FIELD_TRISTATE, 0, 0, NULL, 0},
    TEXT("flow", 1, 31, flow_complaint),
    TEXT("answerNodes", 0, 1023, NULL),
    {"parameters", BL_FIELD_OBJECT, 0, 0, NULL, 0},
    TEXT("workspace", 0, 127, NULL),
    NUMBER("connectTimeoutMs", 0, DAY_MS),
    NUMBER("firstContentTimeoutMs", 0, DAY_MS),
    NUMBER("gapTimeoutMs", 0, DAY_MS),
    NUMBER("totalTimeoutMs", 0, DAY_MS),
    NUMBER("retries", 0, 10),
    TEXT("policy", 0, 31, bl_policy_complaint),
    TEXT("note", 0, NOTE_MOST, NULL),
    NUMBER("heartbeatFirstMs", 10, DAY_MS),
    NUMBER("heartbeatMs", 10, DAY_MS),
    TEXT("retryPace", 0, 15, pace_complaint),
    NUMBER("retryIntervalMs", 1, DAY_MS),
    NUMBER("maxStreamsPerPrincipal", 1, BL_DIRECTORY_SLOTS),
    NUMBER("queueBytes", 16 * 1024, 16 * 1024 * 1024),
    END,
};

const bl_field_t bl_key_fields[] = {
    TEXT("name", 1, BL_NAME_BYTES - 1, name_complaint),
    NEEDED("weight", 1, 1000),
    NEEDED("priority", 0, 1000),
    NAMES("apps"),
    NAMES("models"),
    TEXT("account", 0, BL_NAME_BYTES - 1, NULL),
    TEXT("note", 0, NOTE_MOST, NULL),
    END,
};

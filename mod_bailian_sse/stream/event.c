/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"
#include "journal.h"
#include "base/buf.h"
#include "base/errors.h"

#include <string.h>

#define PACKED_HEAD 13 /* u8 kind, u32 at_ms, u32 text_len, u32 fields_len */

static const char *const kind_names[] = {
    "unknown",  "start",  "delta",  "reasoning",   "status",
    "plan",     "search", "tool",   "agent-start", "agent-complete",
    "progress", "usage",  "notice", "replace",     "end"};

static const char *const outcome_names[] = {"none",       "completed", "length",
                                            "cancelled",  "timeout",   "error",
                                            "interrupted"};

const char *bl_event_kind_name(bl_event_kind_t kind)
{
    if (kind < BL_EV_START || kind > BL_EV_END) return kind_names[0];
    return kind_names[kind];
}

const char *bl_outcome_name(bl_outcome_t outcome)
{
    if (outcome < BL_OUTCOME_NONE || outcome > BL_OUTCOME_INTERRUPTED) {
        outcome = BL_OUTCOME_NONE;
    }
    return outcome_names[outcome];
}

bl_outcome_t bl_outcome_from_name(const char *name)
{
    int i;

    for (i = BL_OUTCOME_COMPLETED; i <= BL_OUTCOME_INTERRUPTED; i++) {
        if (!strcmp(outcome_names[i], name)) return (bl_outcome_t)i;
    }
    return BL_OUTCOME_NONE;
}

static void put_u32(unsigned char *p, apr_uint32_t v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
    p[2] = (unsigned char)(v >> 16);
    p[3] = (unsigned char)(v >> 24);
}

static apr_uint32_t get_u32(const unsigned char *p)
{
    return (apr_uint32_t)p[0] | (apr_uint32_t)p[1] << 8 |
           (apr_uint32_t)p[2] << 16 | (apr_uint32_t)p[3] << 24;
}

apr_status_t bl_event_pack(bl_buf_t *out, const bl_event_t *ev)
{
    size_t need = PACKED_HEAD + ev->text_len + ev->fields_len;
    unsigned char *p = (unsigned char *)bl_buf_room(out, need);

    if (!p) return bl_buf_status(out);
    p[0] = (unsigned char)ev->kind;
    put_u32(p + 1, ev->at_ms);
    put_u32(p + 5, (apr_uint32_t)ev->text_len);
    put_u32(p + 9, (apr_uint32_t)ev->fields_len);
    if (ev->text_len) memcpy(p + PACKED_HEAD, ev->text, ev->text_len);
    if (ev->fields_len) {
        memcpy(p + PACKED_HEAD + ev->text_len, ev->fields, ev->fields_len);
    }
    bl_buf_added(out, need);
    return APR_SUCCESS;
}

apr_status_t bl_event_unpack(const char *data, size_t len, size_t *pat,
                             bl_event_t *ev)
{
    const unsigned char *p = (const unsigned char *)data + *pat;
    size_t left = len - *pat;

    if (*pat >= len) return APR_EOF;
    if (left < PACKED_HEAD || p[0] < BL_EV_START || p[0] > BL_EV_END) {
        return BL_E_STORE_CORRUPT;
    }
    left -= PACKED_HEAD;
    ev->kind = (bl_event_kind_t)p[0];
    ev->at_ms = get_u32(p + 1);
    ev->text_len = get_u32(p + 5);
    ev->fields_len = get_u32(p + 9);
    if (ev->text_len > left || ev->fields_len > left - ev->text_len) {
        return BL_E_STORE_CORRUPT;
    }
    ev->text = data + *pat + PACKED_HEAD;
    ev->fields = ev->fields_len ? ev->text + ev->text_len : NULL;
    *pat += PACKED_HEAD + ev->text_len + ev->fields_len;
    return APR_SUCCESS;
}

int bl_event_is_good_end(const bl_event_t *ev)
{
    static const char completed[] = "{\"outcome\":\"completed\"";
    static const char length[] = "{\"outcome\":\"length\"";

    return (ev->fields_len > sizeof(completed) &&
            !memcmp(ev->fields, completed, sizeof(completed) - 1)) ||
           (ev->fields_len > sizeof(length) &&
            !memcmp(ev->fields, length, sizeof(length) - 1));
}

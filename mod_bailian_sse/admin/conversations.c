/* SPDX-License-Identifier: Apache-2.0 */
#include "conversations.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/time_text.h"

#include <string.h>

#define LIMIT_DEFAULT 50

/* --- the list ----------------------------------------------------------- */

static int take_outcome(bl_params_t *p, bl_conversation_filter_t *f)
{
    const char *name = p->get(p->ctx, "outcome");

    if (!name) return 1;
    f->has_outcome = 1;
    f->outcome = bl_outcome_from_name(name);
    if (f->outcome != BL_OUTCOME_NONE || !strcmp(name, "live")) return 1;
    return bl_params_refuse(p, "outcome",
                            BL_SAY("must be live, completed, length, "
                                   "cancelled, timeout, error or interrupted"));
}

static int take_titles(bl_params_t *p, int *pshows)
{
    const char *text = p->get(p->ctx, "titles");

    if (!text || !strcmp(text, "0")) return 1;
    *pshows = 1;
    if (!strcmp(text, "1")) return 1;
    return bl_params_refuse(p, "titles", BL_SAY("must be 0 or 1"));
}

apr_status_t bl_admin_conversation_filter(bl_params_t *p,
                                          bl_conversation_filter_t *f,
                                          int *pshows)
{
    apr_int64_t limit = LIMIT_DEFAULT;

    memset(f, 0, sizeof(*f));
    f->query = p->get(p->ctx, "q");
    f->user = p->get(p->ctx, "user");
    f->app = p->get(p->ctx, "app");
    f->cursor = p->get(p->ctx, "cursor");
    *pshows = f->query != NULL;
    take_titles(p, pshows);
    take_outcome(p, f);
    bl_params_time(p, "from", &f->from);
    bl_params_time(p, "to", &f->to);
    bl_params_number(p, "limit", 1, BL_CONVERSATIONS_MOST, &limit);
    f->limit = (int)limit;
    return p->rv;
}

/* --- deletions ---------------------------------------------------------- */

static int take_before(bl_params_t *p, const json_t *body, bl_deletion_t *d)
{
    const char *text = NULL;

    if (bl_json_get_string(body, "before", BL_TIME_TEXT, &text) !=
            APR_SUCCESS ||
        (text && (!bl_time_parse(text, &d->before) || d->before <= 0)))
    {
        return bl_params_refuse(
            p, "before",
            BL_SAY("must be a time as 2026-11-20T11:22:33Z, or null"));
    }
    if (d->before > bl_clock_wall()) {
        return bl_params_refuse(p, "before", BL_SAY("must lie in the past"));
    }
    return 1;
}

apr_status_t bl_admin_deletion(bl_params_t *p, json_t *body, bl_deletion_t *d,
                               int *pis_dry)
{
    static const char *const names[] = {"user", "before", "dryRun", NULL};

    memset(d, 0, sizeof(*d));
    *pis_dry = 0;
    bl_params_only(p, body, names);
    if (bl_json_get_string(body, "user", BL_PRINCIPAL_BYTES - 1, &d->owner) !=
            APR_SUCCESS ||
        (d->owner && !*d->owner))
    {
        bl_params_refuse(p, "user",
                         BL_SAY("must be an owner as user:li, or null"));
    }
    take_before(p, body, d);
    if (bl_json_get_bool(body, "dryRun", pis_dry) != APR_SUCCESS) {
        bl_params_refuse(p, "dryRun", BL_SAY("must be true or false"));
    }
    if (!d->owner && !d->before) {
        bl_params_refuse(p, "user",
                         BL_SAY("One of user and before is needed."));
    }
    return p->rv;
}

/* --- settings ----------------------------------------------------------- */

static void take_days(bl_params_t *p, const json_t *o, const char *name,
                      const char *field, int *phas, int *pdays)
{
    const json_t *value = json_object_get(o, name);
    json_int_t days = json_integer_value(value); /* 0 for null */

    *phas = value != NULL;
    *pdays = (int)days;
    if (!value || json_is_null(value)) return;
    if (!json_is_integer(value) || days < 1 || days > BL_RETENTION_DAYS_MOST) {
        bl_params_refuse(
            p, field, BL_SAY("must be a number of days, 1 to 3650, or null"));
    }
}

apr_status_t bl_admin_retention(bl_params_t *p, json_t *body,
                                bl_retention_change_t *c)
{
    static const char *const names[] = {"retention", NULL};
    static const char *const fields[] = {"conversationDays", "eventDays", NULL};
    json_t *o = NULL;

    memset(c, 0, sizeof(*c));
    bl_params_only(p, body, names);
    if (bl_json_get_object(body, "retention", &o) != APR_SUCCESS || !o) {
        bl_params_refuse(p, "retention", BL_SAY("must be a JSON object"));
        return p->rv;
    }
    bl_params_only(p, o, fields);
    take_days(p, o, fields[0], "retention.conversationDays",
              &c->has_conversation_days, &c->conversation_days);
    take_days(p, o, fields[1], "retention.eventDays", &c->has_event_days,
              &c->event_days);
    return p->rv;
}

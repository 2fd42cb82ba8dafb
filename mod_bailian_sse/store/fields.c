/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fields.h"

#include "base/errors.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *column_new(sqlite3_stmt *st, int column, bl_field_kind_t kind)
{
    const char *text;

    if (sqlite3_column_type(st, column) == SQLITE_NULL) {
        return kind == BL_FIELD_NAMES ? json_array() : json_null();
    }
    switch (kind) {
    case BL_FIELD_BOOL:
    case BL_FIELD_TRISTATE:
        return json_boolean(sqlite3_column_int(st, column));
    case BL_FIELD_NUMBER:
        return json_integer(sqlite3_column_int64(st, column));
    case BL_FIELD_OBJECT:
    case BL_FIELD_NAMES:
        text = (const char *)sqlite3_column_text(st, column);
        return text ? json_loads(text, 0, NULL) : NULL;
    default:
        text = (const char *)sqlite3_column_text(st, column);
        return text ? json_string(text) : NULL;
    }
}

json_t *bl_fields_read_new(sqlite3_stmt *st, int first,
                           const bl_field_t *fields)
{
    json_t *row = json_object();
    int i;

    for (i = 0; row && fields[i].name; i++) {
        json_t *value = column_new(st, first + i, fields[i].kind);

        if (!value || json_object_set_new(row, fields[i].name, value) != 0) {
            json_decref(row);
            return NULL;
        }
    }
    return row;
}

static const bl_field_t *find_field(const bl_field_t *fields, const char *name)
{
    for (; fields->name; fields++) {
        if (!strcmp(fields->name, name)) return fields;
    }
    return NULL;
}

static int has_control(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) return 1;
    }
    return 0;
}

static apr_status_t check_text(const bl_field_t *f, const json_t *v,
                               bl_complaint_t *why)
{
    const char *s = json_string_value(v), *wish;
    bl_say_number_t most;

    if (!s || !*s || strlen(s) != json_string_length(v) || has_control(s)) {
        return bl_complain(why, f->name,
                           BL_SAY("must be a text without control characters"));
    }
    if ((apr_int64_t)strlen(s) > f->most) {
        return bl_complain(why, f->name, BL_SAY("must have at most {1} bytes"),
                           bl_say_number(most, f->most));
    }
    wish = f->check ? f->check(s) : NULL;
    return wish ? bl_complain(why, f->name, wish) : APR_SUCCESS;
}

static apr_status_t check_names(const bl_field_t *f, const json_t *v,
                                bl_complaint_t *why)
{
    const json_t *one;
    bl_say_number_t most;
    size_t i;

    if (!json_is_array(v) || (apr_int64_t)json_array_size(v) > f->most) {
        return bl_complain(why, f->name,
                           BL_SAY("must be an array of at most {1} names"),
                           bl_say_number(most, f->most));
    }
    json_array_foreach(v, i, one)
    {
        const char *s = json_string_value(one);

        if (!s || !*s || strlen(s) >= BL_NAME_BYTES ||
            strlen(s) != json_string_length(one) || has_control(s))
        {
            return bl_complain(why, f->name,
                               BL_SAY("must hold names of 1 to {1} bytes"),
                               bl_say_number(most, BL_NAME_BYTES - 1));
        }
    }
    return APR_SUCCESS;
}

static apr_status_t check_value(const bl_field_t *f, const json_t *v,
                                bl_complaint_t *why)
{
    bl_say_number_t least, most;

    if (!v || json_is_null(v)) {
        return f->is_required ? bl_complain(why, f->name, BL_SAY("is needed"))
                              : APR_SUCCESS;
    }
    switch (f->kind) {
    case BL_FIELD_BOOL:
    case BL_FIELD_TRISTATE:
        if (json_is_boolean(v)) return APR_SUCCESS;
        return bl_complain(why, f->name,
                           f->kind == BL_FIELD_TRISTATE
                               ? BL_SAY("must be true, false or null")
                               : BL_SAY("must be true or false"));
    case BL_FIELD_NUMBER:
        if (json_is_integer(v) && json_integer_value(v) >= f->least &&
            json_integer_value(v) <= f->most)
        {
            return APR_SUCCESS;
        }
        return bl_complain(
            why, f->name, BL_SAY("must be a whole number from {1} to {2}"),
            bl_say_number(least, f->least), bl_say_number(most, f->most));
    case BL_FIELD_OBJECT:
        if (json_is_object(v)) return APR_SUCCESS;
        return bl_complain(why, f->name, BL_SAY("must be a JSON object"));
    case BL_FIELD_NAMES:
        return check_names(f, v, why);
    default:
        return check_text(f, v, why);
    }
}

apr_status_t bl_fields_apply(json_t *row, const char *changes,
                             const bl_field_t *fields, bl_complaint_t *why)
{
    json_error_t at;
    json_t *all =
        changes ? json_loads(changes, JSON_REJECT_DUPLICATES, &at) : NULL;
    json_t *value;
    apr_status_t rv = APR_SUCCESS;
    const char *name;
    int i;

    if (!all && (!changes || !*at.text)) return APR_ENOMEM;
    if (!json_is_object(all)) {
        json_decref(all);
        return bl_complain(why, "", BL_SAY("must be a JSON object"));
    }
    json_object_foreach(all, name, value)
    {
        if (!find_field(fields, name)) {
            rv = bl_complain(why, name,
                             BL_SAY("is not a member of this object"));
            break;
        }
        if (json_object_set(row, name, value) != 0) rv = APR_ENOMEM;
    }
    for (i = 0; rv == APR_SUCCESS && fields[i].name; i++) {
        rv = check_value(&fields[i], json_object_get(row, fields[i].name), why);
    }
    json_decref(all);
    return rv;
}

apr_status_t bl_fields_bind(sqlite3_stmt *st, const json_t *row,
                            const bl_field_t *fields)
{
    int i;

    for (i = 0; fields[i].name; i++) {
        const json_t *v = json_object_get(row, fields[i].name);
        char *text;

        if (!v || json_is_null(v)) continue; /* unbound is NULL */
        if (json_is_array(v) && !json_array_size(v)) continue;
        if (json_is_string(v)) {
            bl_db_text(st, i + 1, json_string_value(v));
        }
        else if (json_is_object(v) || json_is_array(v)) {
            text = bl_json_dump(v, JSON_REAL_PRECISION(15));
            if (!text ||
                sqlite3_bind_text(st, i + 1, text, -1, free) != SQLITE_OK) {
                return APR_ENOMEM; /* SQLite has freed it */
            }
        }
        else if (json_is_boolean(v)) {
            bl_db_int(st, i + 1, json_is_true(v));
        }
        else {
            bl_db_int(st, i + 1, json_integer_value(v));
        }
    }
    return APR_SUCCESS;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields - a row of an admin table as a JSON object, and back: one table of
 * fields says their names, kinds and limits.
 *
 * A row read is an object with every field; a change is an object with some
 * of them, laid over it; the whole is checked and bound, in table order, to
 * the parameters ?1, ?2, ... of a statement.
 *
 * OWNERSHIP  objects from read are new references.
 * THREADS    any; the statement's connection is the caller's.
 * ERRORS     BL_E_BAD_VALUE; why says which field and what would be right.
 */
#ifndef BL_FIELDS_H
#define BL_FIELDS_H

#include "store/admin.h"
#include "store/db.h"

#include <jansson.h>

typedef enum {
    BL_FIELD_TEXT, /* NULL or 1 to most bytes, no control character */
    BL_FIELD_BOOL,
    BL_FIELD_TRISTATE, /* true, false or null */
    BL_FIELD_NUMBER,   /* null, or least to most */
    BL_FIELD_OBJECT,   /* null or a JSON object, stored as text */
    BL_FIELD_NAMES     /* an array of up to most texts, stored as text */
} bl_field_kind_t;

typedef struct bl_field_t {
    const char *name;
    bl_field_kind_t kind;
    int is_required; /* null is refused */
    apr_int64_t most;
    /* A further check: NULL or what would be right. May be NULL. */
    const char *(*check)(const char *value);
    apr_int64_t least;
} bl_field_t;

/* The row a statement stands on; its columns from `first` on are the fields
 * in table order. NULL without memory. */
json_t *bl_fields_read_new(sqlite3_stmt *st, int first,
                           const bl_field_t *fields);

/* Lays the members of changes over row; NULL: there was no memory for them.
 * Names that are no fields are refused. Ends with a check of the whole row. */
apr_status_t bl_fields_apply(json_t *row, const char *changes,
                             const bl_field_t *fields, bl_complaint_t *why);

/* Binds ?1 ... ?n. The row must outlive the statement's run, except objects
 * and arrays, which are copied. APR_ENOMEM: not to be run. */
apr_status_t bl_fields_bind(sqlite3_stmt *st, const json_t *row,
                            const bl_field_t *fields);

#endif

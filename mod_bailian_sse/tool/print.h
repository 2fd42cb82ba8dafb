/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print - a JSON array of objects as a table for people.
 */
#ifndef BL_PRINT_H
#define BL_PRINT_H

#include <stddef.h>

typedef struct bl_column_t {
    const char *title; /* NULL ends the list */
    const char *field;
} bl_column_t;

/* json: len bytes of text. 0 when it is no array. */
int bl_print_table(const char *json, size_t len, const bl_column_t *columns);

#endif

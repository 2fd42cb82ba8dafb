/* SPDX-License-Identifier: Apache-2.0 */
/*
 * input - what an admin types: durations, options, and secrets that are never
 * an argument or in the environment.
 *
 * OWNERSHIP  what is returned is the caller's.
 * ERRORS     err gets one sentence that says what would be right.
 */
#ifndef BL_INPUT_H
#define BL_INPUT_H

#include <stddef.h>

#include <jansson.h>

#define BL_SECRET_LINE 8192

/* "500ms", "3s", "2min", "1h", "90" = seconds; -1 when it is none of them. */
long bl_parse_duration_ms(const char *text);

/* One line of standard input; asked for without echo on a terminal. 0 when
 * there is none, or it is too long. */
int bl_read_secret(const char *prompt, char *line, size_t size);

typedef enum {
    BL_OPT_TEXT,     /* "" unsets */
    BL_OPT_SWITCH,   /* on or off */
    BL_OPT_TRISTATE, /* on, off or unset */
    BL_OPT_FLAG,     /* no value: true */
    BL_OPT_DURATION, /* or unset */
    BL_OPT_NUMBER,   /* or unset */
    BL_OPT_JSON,     /* an object; "" unsets */
    BL_OPT_POLICY    /* "cancel", "drain", "detach <duration>"; "" unsets */
} bl_opt_kind_t;

typedef struct bl_opt_t {
    const char *option; /* "--base-url"; NULL ends the table */
    const char *field;  /* its name in the store */
    bl_opt_kind_t kind;
} bl_opt_t;

/* "--option value" pairs as a JSON object, or NULL. */
json_t *bl_options_new(int argc, char **argv, const bl_opt_t *options,
                       char *err, size_t err_size);

#endif

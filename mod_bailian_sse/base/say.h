/* SPDX-License-Identifier: Apache-2.0 */
/*
 * say - sentences for the admin, each in English and Chinese.
 *
 * Who finds that something is wrong says it in English, marked by BL_SAY():
 * the English text is the name of its line in say_table.h, which has a stable
 * code and the Chinese text. Who answers the admin chooses the language. A
 * guard compares what is marked with the table.
 *
 * A text holds {1} to {3} for values. The table tells which are said of a
 * field, whose name is put before them.
 *
 * OWNERSHIP  en is borrowed for good: it is a constant. Values are copied, cut
 *            to BL_SAY_BYTES.
 * THREADS    any.
 */
#ifndef BL_SAY_H
#define BL_SAY_H

#include "bl.h"

#define BL_SAY(text) text
#define BL_SAY_VALUES 3
#define BL_SAY_BYTES 128
#define BL_SAY_TEXT 1024 /* room for any sentence */

typedef struct bl_said_t {
    const char *en; /* NULL: nothing was said */
    char values[BL_SAY_VALUES][BL_SAY_BYTES];
} bl_said_t;

/* What is wrong with which field; field "": with none. */
typedef struct bl_complaint_t {
    char field[64];
    bl_said_t said;
} bl_complaint_t;

#define BL_NO_COMPLAINT                                                        \
    {                                                                          \
        .field = ""                                                            \
    }

/* Says en with its values, a const char * for each. */
void bl_say(bl_said_t *said, const char *en, ...);

/* The same of a field. Answers BL_E_BAD_VALUE. */
apr_status_t bl_complain(bl_complaint_t *why, const char *field, const char *en,
                         ...);

/* A number as a value. */
typedef char bl_say_number_t[24];
const char *bl_say_number(bl_say_number_t out, apr_int64_t n);

/* The sentence, or "" when nothing was said. An unknown one stays English. */
void bl_said_text(const bl_said_t *said, int is_zh, const char *field,
                  char out[BL_SAY_TEXT]);
void bl_complaint_text(const bl_complaint_t *why, int is_zh,
                       char out[BL_SAY_TEXT]);

/* Its stable code, NULL for an unknown one; how many values it has. */
const char *bl_say_code(const char *en);
int bl_say_places(const char *en);

/* Number of lines, and line i of them: for guards and documents. */
typedef struct bl_sentence_t {
    const char *code, *en, *zh;
    int is_of_field; /* the field's name goes before it */
} bl_sentence_t;
int bl_sentence_count(void);
const bl_sentence_t *bl_sentence_at(int i);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "say.h"
#include "errors.h"
#include "say_table.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const bl_sentence_t sentences[] = {
#define X(code, en, zh) {code, en, zh, 0},
#define F(code, en, zh) {code, en, zh, 1},
    BL_SAY_TABLE(X, F)
#undef X
#undef F
};

/* --- the table ---------------------------------------------------------- */

int bl_sentence_count(void)
{
    return (int)(sizeof(sentences) / sizeof(sentences[0]));
}

const bl_sentence_t *bl_sentence_at(int i)
{
    return &sentences[i];
}

static const bl_sentence_t *find(const char *en)
{
    int i;

    for (i = 0; en && i < bl_sentence_count(); i++) {
        if (!strcmp(sentences[i].en, en)) return &sentences[i];
    }
    return NULL;
}

const char *bl_say_code(const char *en)
{
    const bl_sentence_t *s = find(en);

    return s ? s->code : NULL;
}

/* --- values ------------------------------------------------------------- */

/* Of a place such as "{2}" its number, else 0. */
static int place_at(const char *text)
{
    return text[0] == '{' && text[1] >= '1' && text[1] <= '0' + BL_SAY_VALUES &&
                   text[2] == '}'
               ? text[1] - '0'
               : 0;
}

int bl_say_places(const char *en)
{
    int most = 0;

    for (; *en; en++) {
        if (place_at(en) > most) most = place_at(en);
    }
    return most;
}

static void say(bl_said_t *said, const char *en, va_list ap)
{
    int i, n = bl_say_places(en);

    said->en = en;
    for (i = 0; i < n; i++) {
        const char *value = va_arg(ap, const char *);
        size_t len = value ? bl_utf8_valid_len(value, strlen(value)) : 0;

        len = bl_utf8_cut(value ? value : "", len, BL_SAY_BYTES - 1);
        if (len) memcpy(said->values[i], value, len);
        said->values[i][len] = '\0';
    }
}

void bl_say(bl_said_t *said, const char *en, ...)
{
    va_list ap;

    va_start(ap, en);
    say(said, en, ap);
    va_end(ap);
}

apr_status_t bl_complain(bl_complaint_t *why, const char *field, const char *en,
                         ...)
{
    va_list ap;

    snprintf(why->field, sizeof(why->field), "%s", field);
    va_start(ap, en);
    say(&why->said, en, ap);
    va_end(ap);
    return BL_E_BAD_VALUE;
}

const char *bl_say_number(bl_say_number_t out, apr_int64_t n)
{
    snprintf(out, sizeof(bl_say_number_t), "%" APR_INT64_T_FMT, n);
    return out;
}

/* --- text --------------------------------------------------------------- */

static size_t put(char *out, size_t len, const char *text)
{
    int n = snprintf(out + len, BL_SAY_TEXT - len, "%s", text);

    len += n > 0 ? (size_t)n : 0;
    return len < BL_SAY_TEXT ? len : BL_SAY_TEXT - 1;
}

void bl_said_text(const bl_said_t *said, int is_zh, const char *field,
                  char out[BL_SAY_TEXT])
{
    const bl_sentence_t *s = find(said->en);
    const char *text = s && is_zh ? s->zh : said->en;
    size_t len = 0;

    *out = '\0';
    if (!text) return;
    if (field && *field && s && s->is_of_field) {
        len = put(out, len, field);
        len = put(out, len, " ");
    }
    for (; *text && len + 1 < BL_SAY_TEXT; text++) {
        int place = place_at(text);

        if (place) {
            len = put(out, len, said->values[place - 1]);
            text += 2;
            continue;
        }
        out[len++] = *text;
        out[len] = '\0';
    }
}

void bl_complaint_text(const bl_complaint_t *why, int is_zh,
                       char out[BL_SAY_TEXT])
{
    bl_said_text(&why->said, is_zh, why->field, out);
}

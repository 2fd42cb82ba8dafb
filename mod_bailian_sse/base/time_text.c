/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time_text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_US 1000000
#define YEAR_9999_MS 253402300799999ll

const char *bl_time_text(char text[BL_TIME_TEXT], apr_time_t at)
{
    apr_time_t us = at % SECOND_US;
    time_t seconds = (time_t)(at / SECOND_US);
    struct tm tm;

    /* Rounded down, also before 1970. */
    if (us < 0) {
        us += SECOND_US;
        seconds--;
    }
    text[0] = '\0';
    if (!gmtime_r(&seconds, &tm) || tm.tm_year < -1899 || tm.tm_year > 8099) {
        return text;
    }
    /* The remainders only tell the compiler how wide a number gets. */
    snprintf(text, BL_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
             (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
             (unsigned)tm.tm_sec % 100, (unsigned)(us / 1000) % 1000);
    return text;
}

/* n digits at *ps, as a number; -1: there are not so many. */
static int digits(const char **ps, int n)
{
    int value = 0;

    for (; n; n--, ++*ps) {
        if (!isdigit((unsigned char)**ps)) return -1;
        value = value * 10 + (**ps - '0');
    }
    return value;
}

static int skip(const char **ps, char c)
{
    return **ps == c && ++*ps;
}

/* A date that the calendar does not have comes out as another one. */
static int parse_date(const char **ps, struct tm *tm)
{
    int year = digits(ps, 4), month, day;
    struct tm back;
    time_t at;

    if (year < 1 || !skip(ps, '-')) return 0;
    month = digits(ps, 2);
    if (month < 1 || !skip(ps, '-')) return 0;
    day = digits(ps, 2);
    if (day < 1) return 0;
    memset(tm, 0, sizeof(*tm));
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    back = *tm;
    at = timegm(&back);
    return gmtime_r(&at, &back) && back.tm_mon == tm->tm_mon &&
           back.tm_mday == tm->tm_mday;
}

static int parse_clock(const char **ps, struct tm *tm)
{
    tm->tm_hour = digits(ps, 2);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || !skip(ps, ':')) return 0;
    tm->tm_min = digits(ps, 2);
    if (tm->tm_min < 0 || tm->tm_min > 59 || !skip(ps, ':')) return 0;
    tm->tm_sec = digits(ps, 2);
    return tm->tm_sec >= 0 && tm->tm_sec <= 59;
}

/* ".444", as microseconds; -1: a point without digits, or too many. */
static apr_time_t parse_fraction(const char **ps)
{
    apr_time_t us = 0, unit = SECOND_US;
    int n = 0;

    if (!skip(ps, '.')) return 0;
    for (; isdigit((unsigned char)**ps); ++*ps, n++) {
        unit /= 10;
        us += (**ps - '0') * unit;
    }
    return n >= 1 && n <= 9 ? us : -1;
}

static int parse_ms(const char *text, apr_time_t *pat)
{
    apr_int64_t ms = 0;

    for (; *text; text++) {
        if (!isdigit((unsigned char)*text) || ms > YEAR_9999_MS) return 0;
        ms = ms * 10 + (*text - '0');
    }
    *pat = ms * 1000;
    return ms <= YEAR_9999_MS;
}

int bl_time_parse(const char *text, apr_time_t *pat)
{
    const char *s = text;
    struct tm tm;
    apr_time_t us;

    if (*text && !strchr(text, '-')) return parse_ms(text, pat);
    if (!parse_date(&s, &tm) || !skip(&s, 'T') || !parse_clock(&s, &tm)) {
        return 0;
    }
    us = parse_fraction(&s);
    if (us < 0 || !skip(&s, 'Z') || *s) return 0;
    *pat = (apr_time_t)timegm(&tm) * SECOND_US + us;
    return 1;
}

const char *bl_day_text(char text[BL_DAY_TEXT], apr_int64_t day)
{
    char whole[BL_TIME_TEXT];
    const char *end = strchr(bl_time_text(whole, day * BL_DAY_US), 'T');

    snprintf(text, BL_DAY_TEXT, "%.*s", end ? (int)(end - whole) : 0, whole);
    return text;
}

int bl_day_parse(const char *text, apr_int64_t *pday)
{
    struct tm tm;

    if (!parse_date(&text, &tm) || *text) return 0;
    *pday = (apr_int64_t)timegm(&tm) / 86400;
    /* Rounded down, also before 1970. */
    if (timegm(&tm) < 0 && timegm(&tm) % 86400) --*pday;
    return 1;
}

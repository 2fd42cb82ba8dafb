/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/input.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define DURATION_MOST (24l * 3600 * 1000)

long bl_parse_duration_ms(const char *text)
{
    static const struct {
        const char *unit;
        long ms;
    } units[] = {
        {"", 1000}, {"s", 1000}, {"ms", 1}, {"min", 60000}, {"h", 3600000}};
    char *end;
    long n;
    size_t i;

    if (!isdigit((unsigned char)*text)) return -1;
    errno = 0;
    n = strtol(text, &end, 10);
    for (i = 0; !errno && i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].unit)) continue;
        return n <= DURATION_MOST / units[i].ms ? n * units[i].ms : -1;
    }
    return -1;
}

static int read_line(char *line, size_t size)
{
    size_t n = 0;
    int c;

    while ((c = getchar()) != EOF && c != '\n') {
        if (n + 1 == size) return 0;
        line[n++] = (char)c;
    }
    if (n && line[n - 1] == '\r') n--;
    line[n] = '\0';
    return n > 0;
}

static struct termios before; /* the terminal as it was */

/* Only calls that a signal handler may make. */
static void on_signal(int number)
{
    (void)number;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    _exit(2);
}

/* Who interrupts the question gets his terminal back. */
static void handle_signals(void (*handler)(int))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    struct sigaction sa;
    size_t i;

    memset(&sa, 0, sizeof(sa));
    sigemptyset(&sa.sa_mask);
    sa.sa_handler = handler;
    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &sa, NULL);
}

int bl_read_secret(const char *prompt, char *line, size_t size)
{
    struct termios quiet;
    int ok;

    /* No copy of the secret stays behind in a buffer of the C library. */
    setvbuf(stdin, NULL, _IONBF, 0);
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) {
        return read_line(line, size);
    }
    handle_signals(on_signal);
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    fputs(prompt, stderr);
    ok = read_line(line, size);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    handle_signals(SIG_DFL);
    fputc('\n', stderr);
    return ok;
}

/* --- options ------------------------------------------------------------ */

static json_t *switch_new(const char *s)
{
    if (!strcmp(s, "on")) return json_true();
    if (!strcmp(s, "off")) return json_false();
    return NULL;
}

static json_t *number_new(const char *s)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(s, &end, 10);
    return errno || end == s || *end ? NULL : json_integer(n);
}

static json_t *duration_new(const char *s)
{
    long ms = bl_parse_duration_ms(s);

    return ms < 0 ? NULL : json_integer(ms);
}

static json_t *policy_new(const char *s)
{
    char text[48];
    long ms;

    if (strncmp(s, "detach ", 7)) return json_string(s);
    ms = bl_parse_duration_ms(s + 7);
    if (ms < 1000 || ms % 1000) return NULL;
    snprintf(text, sizeof(text), "detach %lds", ms / 1000);
    return json_string(text);
}

static json_t *value_new(bl_opt_kind_t kind, const char *s)
{
    int is_unset = !strcmp(s, "unset");

    switch (kind) {
    case BL_OPT_SWITCH:
        return switch_new(s);
    case BL_OPT_TRISTATE:
        return is_unset ? json_null() : switch_new(s);
    case BL_OPT_DURATION:
        return is_unset ? json_null() : duration_new(s);
    case BL_OPT_NUMBER:
        return is_unset ? json_null() : number_new(s);
    case BL_OPT_JSON:
        return *s ? json_loads(s, JSON_REJECT_DUPLICATES, NULL) : json_null();
    case BL_OPT_POLICY:
        return *s ? policy_new(s) : json_null();
    default:
        return *s ? json_string(s) : json_null();
    }
}

static const char *wish_of(bl_opt_kind_t kind)
{
    switch (kind) {
    case BL_OPT_SWITCH:
        return "on or off";
    case BL_OPT_TRISTATE:
        return "on, off or unset";
    case BL_OPT_DURATION:
        return "a time like 500ms, 3s or 2min, or unset";
    case BL_OPT_NUMBER:
        return "a whole number, or unset";
    case BL_OPT_JSON:
        return "a JSON object like '{\"temperature\":0.2}'";
    case BL_OPT_POLICY:
        return "cancel, drain or \"detach 60s\"";
    default:
        return "UTF-8 text";
    }
}

static const bl_opt_t *find_option(const bl_opt_t *options, const char *name)
{
    for (; options->option; options++) {
        if (!strcmp(options->option, name)) return options;
    }
    return NULL;
}

static int take_option(json_t *all, const bl_opt_t *o, const char *value,
                       char *err, size_t size)
{
    json_t *v;

    if (json_object_get(all, o->field)) {
        snprintf(err, size, "%s is given twice", o->option);
        return 0;
    }
    if (!value) {
        snprintf(err, size, "%s needs a value: %s", o->option,
                 wish_of(o->kind));
        return 0;
    }
    v = o->kind == BL_OPT_FLAG ? json_true() : value_new(o->kind, value);
    if (!v) {
        snprintf(err, size, "%s must be %s, got \"%.64s\"", o->option,
                 wish_of(o->kind), value);
        return 0;
    }
    return json_object_set_new(all, o->field, v) == 0;
}

json_t *bl_options_new(int argc, char **argv, const bl_opt_t *options,
                       char *err, size_t err_size)
{
    json_t *all = json_object();
    int i, ok = all != NULL;

    *err = '\0';
    for (i = 0; ok && i < argc; i++) {
        const bl_opt_t *o = find_option(options, argv[i]);

        if (!o) {
            snprintf(err, err_size, "there is no option \"%.64s\" here",
                     argv[i]);
            ok = 0;
        }
        else if (o->kind == BL_OPT_FLAG) {
            ok = take_option(all, o, "", err, err_size);
        }
        else {
            ok = take_option(all, o, i + 1 < argc ? argv[i + 1] : NULL, err,
                             err_size);
            i++;
        }
    }
    if (ok) return all;
    json_decref(all);
    return NULL;
}

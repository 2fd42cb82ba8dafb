/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailianctl - what an admin does at the command line: master key, database,
 * upstreams, apps, API keys. Exit codes: 0 done, 1 failed, 2 wrong usage.
 */
#include "tool/commands.h"

#include "base/errors.h"
#include "crypto/keyring.h"
#include "tool/run_as.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#define DEFAULT_DATABASE "/var/lib/bailian/bailian.db"
#define DEFAULT_MASTER_KEY "/etc/bailian/master.key"

static const char usage[] =
    "usage: bailianctl [--database PATH] [--master-key PATH] [--json] COMMAND\n"
    "\n"
    "  master-key create              make the file with the first key\n"
    "  master-key rotate              add a key and seal all stored keys anew\n"
    "  db migrate                     make the database, or bring it up to "
    "date\n"
    "  db check                       is it whole?\n"
    "  db backup FILE                 copy it while the server runs\n"
    "  upstream add|set NAME --kind bailian-app --base-url URL\n"
    "           [--workspace W] [--ca-file F] [--proxy URL] [--http2 on|off]\n"
    "  upstream list | delete NAME\n"
    "  app add|set NAME --upstream U --app-id ID [--default]\n"
    "           [--incremental on|off] [--thoughts on|off]\n"
    "           [--thinking on|off|unset] [--flow none|full_thoughts|\n"
    "           message_format|message_format_plus|agent_format]\n"
    "           [--answer-nodes a,b] [--parameters JSON] [--workspace W]\n"
    "           [--connect-timeout T] [--first-content-timeout T]\n"
    "           [--gap-timeout T] [--total-timeout T] [--retries N]\n"
    "           [--policy cancel|drain|\"detach 60s\"]\n"
    "  app list | delete NAME\n"
    "  key add --upstream U --name N  the key itself on standard input\n"
    "  key list | enable ID | disable ID | delete ID\n"
    "\n"
    "Times: 500ms, 3s, 2min, 1h; a plain number is seconds.\n"
    "Defaults: --database " DEFAULT_DATABASE "\n"
    "          --master-key " DEFAULT_MASTER_KEY "\n";

int bl_fail(const bl_tool_t *t, int code, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    json_t *answer;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (!t->is_json) {
        fprintf(stderr, "bailianctl: %s\n", text);
        return code;
    }
    answer = json_pack("{s:s}", "error", text);
    json_dumpf(answer, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(answer);
    return code;
}

/* --- the store, opened by the owner of the database --------------------- */

/* The master key is read while we are still root. Without one everything
 * works that needs no key. */
static int load_keyring(bl_tool_t *t, int is_needed)
{
    char err[1024] = "";

    if (!is_needed && access(t->master_key, F_OK) != 0) return 0;
    if (bl_keyring_load(&t->keyring, t->master_key, err, sizeof(err)) ==
            APR_SUCCESS ||
        !is_needed)
    {
        return 0;
    }
    return bl_fail(t, BL_FAILED, "%s", err);
}

int bl_tool_open(bl_tool_t *t, bl_open_for_t what)
{
    bl_store_conf_t conf;
    char err[1024] = "";
    int code = load_keyring(t, what == BL_OPEN_KEYS);
    apr_status_t rv;

    if (code) return code;
    if (!bl_become_owner(t->database, err, sizeof(err))) {
        return bl_fail(t, BL_FAILED, "%s", err);
    }
    umask(077);
    memset(&conf, 0, sizeof(conf));
    conf.path = t->database;
    conf.keyring = t->keyring;
    conf.is_tool = 1;
    conf.must_be_current = what != BL_OPEN_MIGRATE;
    rv = bl_store_open(&t->store, &conf, err, sizeof(err));
    if (rv == APR_SUCCESS) return 0;
    if (rv == BL_E_STORE_CORRUPT) {
        bl_buf_t advice;

        bl_buf_init(&advice, 64 * 1024);
        bl_store_repair_advice(t->database, &advice);
        code = bl_fail(t, BL_FAILED, "%s is damaged. %s", t->database,
                       bl_buf_str(&advice));
        bl_buf_release(&advice);
        return code;
    }
    return bl_fail(t, BL_FAILED, "%s", err);
}

void bl_tool_close(bl_tool_t *t)
{
    bl_store_close(t->store, 0);
    bl_keyring_close(t->keyring);
    t->store = NULL;
    t->keyring = NULL;
    bl_become_caller();
}

/* --- which command ------------------------------------------------------ */

static const struct {
    const char *object;
    bl_command_fn *run;
} commands[] = {
    {"master-key", bl_command_master_key},
    {"db", bl_command_db},
    {"upstream", bl_command_upstream},
    {"app", bl_command_app},
    {"key", bl_command_key},
    {"caller", bl_command_caller},
};

static int run_command(bl_tool_t *t, int argc, char **argv)
{
    size_t i;

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].object, argv[0])) continue;
        if (argc < 2) break;
        return commands[i].run(t, argc - 1, argv + 1);
    }
    return bl_fail(t, BL_USAGE,
                   "there is no command \"%.64s%s%.64s\": see "
                   "bailianctl --help",
                   argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
}

/* Options in front of the command; *pnext is the command. */
static int take_globals(bl_tool_t *t, int argc, char **argv, int *pnext)
{
    int i = 1;

    for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
        if (!strcmp(argv[i], "--json")) {
            t->is_json = 1;
        }
        else if (!strcmp(argv[i], "--help")) {
            fputs(usage, stdout);
            return -1;
        }
        else if (!strcmp(argv[i], "--version")) {
            puts("bailianctl " BL_VERSION);
            return -1;
        }
        else if (!strcmp(argv[i], "--database") && i + 1 < argc) {
            t->database = argv[++i];
        }
        else if (!strcmp(argv[i], "--master-key") && i + 1 < argc) {
            t->master_key = argv[++i];
        }
        else {
            return bl_fail(t, BL_USAGE,
                           "there is no option \"%.64s\", or it needs a value: "
                           "see bailianctl --help",
                           argv[i]);
        }
    }
    *pnext = i;
    return 0;
}

int main(int argc, char **argv)
{
    const struct rlimit no_core = {0, 0};
    bl_tool_t t;
    int next = 1, code;

    setrlimit(RLIMIT_CORE, &no_core); /* S-41: no key in a core file */
    memset(&t, 0, sizeof(t));
    t.database = DEFAULT_DATABASE;
    t.master_key = DEFAULT_MASTER_KEY;
    bl_actor_name(t.actor, sizeof(t.actor));
    t.who.actor = t.actor;
    t.who.from = "local";
    code = take_globals(&t, argc, argv, &next);
    if (code) return code < 0 ? 0 : code;
    if (next == argc) {
        fputs(usage, stderr);
        return BL_USAGE;
    }
    code = run_command(&t, argc - next, argv + next);
    bl_tool_close(&t);
    return code;
}

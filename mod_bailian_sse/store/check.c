/* SPDX-License-Identifier: Apache-2.0 */
/* bailianctl db check: is the database whole, and what to do when not (D07). */
#include "store/store_private.h"

#include "base/errors.h"
#include "base/secret.h"

#include <string.h>

#define FINDINGS_MOST 100

static void add_words(bl_buf_t *out, const char *path, const char *const *words)
{
    for (; *words; words++)
        bl_buf_puts(out, **words == '@' ? path : *words);
}

void bl_store_repair_advice(const char *path, bl_buf_t *out)
{
    static const char *const words[] = {
        "To repair it: stop httpd; keep a copy of ",
        "@",
        ", ",
        "@",
        "-wal and ",
        "@",
        "-shm; then put back the newest backup, or save what can be read:"
        "\n  sqlite3 ",
        "@",
        " .recover | sqlite3 ",
        "@",
        ".saved\n"
        "  bailianctl --database ",
        "@",
        ".saved db check\n"
        "and move it to its place with the same owner and mode 0600.\n",
        NULL};

    add_words(out, path, words);
}

static void add_line(bl_buf_t *out, const char *text)
{
    bl_buf_puts(out, text);
    bl_buf_puts(out, "\n");
}

/* Rows of text until the end; "ok" is none. */
static apr_status_t integrity(bl_db_t *db, bl_buf_t *out, int *pfound)
{
    sqlite3_stmt *st = bl_db_stmt(db, "PRAGMA integrity_check(100)");
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        const char *line = (const char *)sqlite3_column_text(st, 0);

        if (!line || !strcmp(line, "ok")) continue;
        ++*pfound;
        add_line(out, line);
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t references(bl_db_t *db, bl_buf_t *out, int *pfound)
{
    sqlite3_stmt *st = bl_db_stmt(db, "PRAGMA foreign_key_check");
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS && *pfound < FINDINGS_MOST)
    {
        char table[64];

        bl_db_copy(st, 0, table, sizeof(table));
        ++*pfound;
        bl_buf_puts(out, "a row of table ");
        bl_buf_puts(out, table);
        add_line(out, " refers to one that is not there");
    }
    bl_db_done(st);
    return rv == APR_EOF || rv == APR_SUCCESS ? APR_SUCCESS : rv;
}

/* Keys no loaded master key can open are told, but are no damage (D13). */
static apr_status_t sealed_keys(bl_store_t *s, bl_db_t *db, bl_buf_t *out)
{
    static const char sql[] = "SELECT id, version, sealed FROM api_key";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    unsigned all = 0, closed = 0;
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        bl_key_t key;
        char *secret;

        memset(&key, 0, sizeof(key));
        key.id = sqlite3_column_int64(st, 0);
        key.version = sqlite3_column_int64(st, 1);
        key.sealed = (unsigned char *)sqlite3_column_blob(st, 2);
        key.sealed_len = (size_t)sqlite3_column_bytes(st, 2);
        all++;
        if (bl_key_open(s->keyring, &key, &secret) != APR_SUCCESS)
            closed++;
        else
            bl_secret_free(secret);
    }
    bl_db_done(st);
    bl_buf_puts(out, "stored API keys: ");
    bl_buf_putu(out, all);
    if (s->keyring) {
        bl_buf_puts(out, ", of which cannot be opened: ");
        bl_buf_putu(out, closed);
    }
    else {
        bl_buf_puts(out, " (no master key to try them with)");
    }
    bl_buf_puts(out, "\n");
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t bl_store_check(bl_store_t *s, bl_buf_t *report)
{
    int found = 0;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv == APR_SUCCESS) rv = integrity(db, report, &found);
    if (rv == APR_SUCCESS) rv = references(db, report, &found);
    if (rv == APR_SUCCESS) rv = sealed_keys(s, db, report);
    bl_store_read_end(s, db);
    if (rv == APR_SUCCESS && found) rv = BL_E_STORE_CORRUPT;
    if (rv == BL_E_STORE_CORRUPT)
        bl_store_repair_advice(s->path, report);
    else if (rv == APR_SUCCESS)
        add_line(report, "the database is whole");
    return rv;
}

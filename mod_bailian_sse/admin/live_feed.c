/* SPDX-License-Identifier: Apache-2.0 */
/* The feed of live.h: an event a second of what changed. Its data is one
 * line: JSON as we write it holds no line end. */
#include "live.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "crypto/token.h"

#include <string.h>

static int place_of(const bl_live_feed_t *feed, const unsigned char *id)
{
    int i;

    for (i = 0; i < feed->count; i++) {
        if (!memcmp(feed->ids[i], id, BL_ID_BYTES)) return i;
    }
    return -1;
}

/* FNV-1a over what a row says but its ages, which are its last two members.
 */
static apr_uint64_t hash_of(const char *row, size_t len)
{
    apr_uint64_t h = 14695981039346656037ULL;
    size_t i;

    for (i = 0; i < len; i++)
        h = (h ^ (unsigned char)row[i]) * 1099511628211ULL;
    return h;
}

static size_t facts_bytes(const char *row, size_t len)
{
    static const char ages[] = ",\"ageMs\":";
    size_t n;

    for (n = len; n > sizeof(ages); n--) {
        if (!memcmp(row + n - 1, ages, sizeof(ages) - 1)) return n - 1;
    }
    return len;
}

static void put_ids(const unsigned char (*ids)[BL_ID_BYTES], int n,
                    bl_buf_t *out)
{
    char id[BL_ID_TEXT + 1];
    int i;

    for (i = 0; i < n; i++) {
        bl_hex(id, ids[i], BL_ID_BYTES);
        bl_buf_printf(out, "%s\"%s\"", i ? "," : "", id);
    }
}

static void put_gone(const bl_live_feed_t *old, const bl_live_found_t *found,
                     bl_buf_t *out)
{
    int i, k, n = 0;

    for (i = 0; i < old->count; i++) {
        for (k = 0; k < found->count; k++) {
            if (!memcmp(found->rows[k].id, old->ids[i], BL_ID_BYTES)) break;
        }
        if (k < found->count) continue;
        bl_buf_puts(out, n++ ? "," : ",\"gone\":[");
        put_ids(&old->ids[i], 1, out);
    }
    if (n) bl_buf_puts(out, "]");
}

/* Takes the rows in, and writes those that are news. */
static void put_news(bl_live_feed_t *feed, const bl_live_feed_t *old,
                     const bl_shm_t *shm, const bl_live_found_t *found,
                     bl_ms_t now, bl_buf_t *out)
{
    int is_snapshot = !old, n = 0, i;

    if (is_snapshot) bl_buf_puts(out, ",\"items\":[");
    for (i = 0; i < found->count; i++) {
        const bl_slot_t *s = &found->rows[i];
        int was = old ? place_of(old, s->id) : -1;
        size_t begin = out->len, row;

        bl_buf_puts(out, n ? ",{" : is_snapshot ? "{" : ",\"items\":[{");
        row = out->len;
        bl_live_put_row(shm, s, now, out);
        if (bl_buf_status(out) != APR_SUCCESS) return;
        memcpy(feed->ids[i], s->id, BL_ID_BYTES);
        feed->hashes[i] = hash_of(out->data + row,
                                  facts_bytes(out->data + row, out->len - row));
        if (was >= 0 && old->hashes[was] == feed->hashes[i]) {
            out->len = begin;
            continue;
        }
        bl_buf_puts(out, "}");
        n++;
    }
    if (n || is_snapshot) bl_buf_puts(out, "]");
    feed->count = found->count;
}

static int is_same_order(const bl_live_feed_t *a, const bl_live_feed_t *b)
{
    return a->count == b->count &&
           !memcmp(a->ids, b->ids, (size_t)a->count * BL_ID_BYTES);
}

static void put_event(bl_live_feed_t *feed, const bl_live_feed_t *old,
                      const bl_shm_t *shm, const bl_live_found_t *found,
                      bl_buf_t *out)
{
    char at[BL_TIME_TEXT];

    bl_buf_printf(out,
                  "event: %s\ndata: {\"at\":\"%s\",\"total\":%d,"
                  "\"matched\":%d,\"phases\":",
                  old ? "change" : "snapshot",
                  bl_time_text(at, bl_clock_wall()), found->total,
                  found->matched);
    bl_live_put_phases(found->phases, out);
    put_news(feed, old, shm, found, bl_clock_ms(), out);
    if (old) {
        put_gone(old, found, out);
        if (!is_same_order(feed, old)) {
            bl_buf_puts(out, ",\"order\":[");
            put_ids((const unsigned char(*)[BL_ID_BYTES])feed->ids, feed->count,
                    out);
            bl_buf_puts(out, "]");
        }
    }
    bl_buf_puts(out, "}\n\n");
}

apr_status_t bl_live_feed_next(bl_live_feed_t *feed, const bl_shm_t *shm,
                               bl_buf_t *out)
{
    bl_live_feed_t old = *feed;
    bl_live_found_t found;
    apr_status_t rv = bl_live_find(shm, &feed->query, bl_clock_ms(), &found);

    if (rv != APR_SUCCESS) return rv;
    put_event(feed, feed->is_begun ? &old : NULL, shm, &found, out);
    feed->is_begun = 1;
    bl_live_found_release(&found);
    return bl_buf_status(out);
}

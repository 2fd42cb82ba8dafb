/* SPDX-License-Identifier: Apache-2.0 */
#include "marks.h"
#include "stats.h"

#include <string.h>

static const char *const names[] = {
    "start",  "attempt",   "failed",     "retry",    "firstContent",
    "paused", "continued", "heartbeats", "attached", "resumed",
    "left",   "detached",  "end"};

const char *bl_mark_name(int what)
{
    return what >= 0 && what <= BL_MARK_END ? names[what] : NULL;
}

static int place_of(apr_uint32_t i)
{
    if (i < BL_MARKS) return (int)i;
    return BL_MARKS_FIRST +
           (int)((i - BL_MARKS_FIRST) % (BL_MARKS - BL_MARKS_FIRST));
}

void bl_mark_add(bl_slot_t *slot, bl_ms_t now, bl_mark_kind_t what,
                 apr_uint32_t n, apr_status_t why, int status)
{
    apr_uint32_t count = bl_slot_get(slot, mark_count);
    bl_mark_t *m = &slot->marks[place_of(count ? count - 1 : 0)];

    if (count && what == BL_MARK_HEARTBEATS && m->what == what) {
        bl_slot_set(m, n, m->n + n);
        return;
    }
    m = &slot->marks[place_of(count)];
    bl_slot_set(m, at_ms, (apr_uint32_t)(now - slot->started_ms));
    bl_slot_set(m, n, n);
    bl_slot_set(m, status, (apr_uint16_t)status);
    bl_slot_set(m, what, (unsigned char)what);
    bl_slot_set(m, error, (unsigned char)(bl_error_line(why) + 1));
    __atomic_store_n(&slot->mark_count, count + 1, __ATOMIC_RELEASE);
}

int bl_marks_read(const bl_slot_t *slot, bl_mark_t *marks, int *plost)
{
    apr_uint32_t count = __atomic_load_n(&slot->mark_count, __ATOMIC_ACQUIRE);
    apr_uint32_t i;
    int n = 0;

    *plost = count > BL_MARKS ? (int)(count - BL_MARKS) : 0;
    for (i = 0; i < count; i++) {
        if (i == BL_MARKS_FIRST) i += (apr_uint32_t)*plost;
        marks[n++] = slot->marks[place_of(i)];
    }
    return n;
}

size_t bl_marks_pack(const bl_slot_t *slot, void *bytes)
{
    bl_mark_t marks[BL_MARKS];
    apr_uint32_t lost;
    int n, count = bl_marks_read(slot, marks, &n);

    lost = (apr_uint32_t)n;
    memcpy(bytes, &lost, sizeof(lost));
    memcpy((char *)bytes + sizeof(lost), marks, (size_t)count * sizeof(*marks));
    return sizeof(lost) + (size_t)count * sizeof(*marks);
}

int bl_marks_unpack(const void *bytes, size_t len, bl_mark_t *marks, int *plost)
{
    apr_uint32_t lost;
    size_t n;

    *plost = 0;
    if (len < sizeof(lost)) return 0;
    memcpy(&lost, bytes, sizeof(lost));
    *plost = (int)lost;
    n = (len - sizeof(lost)) / sizeof(*marks);
    if (n > BL_MARKS) n = BL_MARKS;
    memcpy(marks, (const char *)bytes + sizeof(lost), n * sizeof(*marks));
    return (int)n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * marks - the timeline of one stream: what happened to it and when. The
 * first BL_MARKS_FIRST marks stay, of the rest the newest do.
 *
 * THREADS  add: the reactor of the child that has the slot. read: any, of any
 *          child; a mark that is just being written may be read half old.
 */
#ifndef BL_MARKS_H
#define BL_MARKS_H

#include "layout.h"

/* why: BL_MARK_FAILED and BL_MARK_END, else APR_SUCCESS. Heartbeats behind
 * heartbeats are added to their mark. */
void bl_mark_add(bl_slot_t *slot, bl_ms_t now, bl_mark_kind_t what,
                 apr_uint32_t n, apr_status_t why, int status);

/* In order; *plost how many were overwritten. Answers how many there are. */
int bl_marks_read(const bl_slot_t *slot, bl_mark_t *marks, int *plost);

/* A timeline as the store keeps it. pack: BL_MARKS_PACKED bytes at most. */
#define BL_MARKS_PACKED (4 + BL_MARKS * sizeof(bl_mark_t))
size_t bl_marks_pack(const bl_slot_t *slot, void *bytes);
int bl_marks_unpack(const void *bytes, size_t len, bl_mark_t *marks,
                    int *plost);

const char *bl_mark_name(int what); /* "firstContent"; NULL: none such */

#endif

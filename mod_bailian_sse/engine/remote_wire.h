/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_wire - what two children of one server say to each other. Both run
 * the same build on the same machine: plain structs.
 *
 *   asker -> runner   ask; later single bytes: BL_REMOTE_STOP_BYTE
 *   runner -> asker   answer; then, for READ, frames: u64 seq, u32 length, and
 *                     the packed event (journal.h)
 */
#ifndef BL_REMOTE_WIRE_H
#define BL_REMOTE_WIRE_H

#include "engine_private.h"

#include <sys/socket.h>
#include <sys/un.h>

#define BL_REMOTE_MAGIC 0x31524c42u /* "BLR1" */
#define BL_REMOTE_STOP_BYTE 'S'

enum { BL_REMOTE_READ = 1, BL_REMOTE_STOP = 2 };

typedef struct bl_remote_ask_t {
    apr_uint32_t magic;
    apr_uint32_t what;
    char id[BL_ID_TEXT + 1];
    char owner[BL_PRINCIPAL_BYTES];
} bl_remote_ask_t;

typedef struct bl_remote_answer_t {
    apr_uint32_t magic;
    apr_int32_t status;
    apr_uint32_t policy; /* bl_policy_t */
    apr_int64_t started_at;
    apr_uint64_t queue_bytes;
    char conversation_id[BL_ITEM_ID_BYTES];
    char item_id[BL_ITEM_ID_BYTES];
    char app[BL_NAME_BYTES];
} bl_remote_answer_t;

typedef struct bl_remote_frame_t {
    apr_uint64_t seq;
    apr_uint32_t len;
} __attribute__((packed)) bl_remote_frame_t;

/* The address of a child's socket; its length for bind and connect. */
socklen_t bl_remote_address(const bl_engine_t *e, apr_int64_t child_id,
                            struct sockaddr_un *address);

/* Does the process at the other end run as we do? */
int bl_remote_is_ours(int fd);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"
#include "encoder_batch.h"
#include "shm/directory.h"

#define COME_TRIES 200
#define COME_MS 5

/* A stream that has left the directory has ended: what is here but not at its
 * end is a mirror, and its END event is under way. */
void bl_batch_catch_up(bl_call_t *call, bl_stream_t *s)
{
    apr_int64_t child_id;
    apr_uint64_t newest;
    int child, i;
    bl_slot_t *slot =
        bl_slot_find(bl_engine_shm(call->engine), s->id, &child, &child_id);

    if (slot && child == bl_engine_child(call->engine)) return;
    newest = slot ? bl_slot_get(slot, seq) : APR_UINT64_MAX;
    for (i = 0; i < COME_TRIES && bl_journal_tail(s->journal) < newest; i++) {
        if (bl_stream_wait_end(s, COME_MS)) return;
    }
}

int bl_serve_empty_batch(request_rec *r, bl_call_t *call,
                         const bl_stored_stream_t *row, apr_uint64_t after)
{
    bl_buf_t out;

    bl_buf_init(&out, 4096);
    bl_buf_printf(&out,
                  "{\"streamId\":\"%s\",\"events\":[],"
                  "\"next\":%" APR_UINT64_T_FMT ",\"complete\":true",
                  row->stream_id, after);
    bl_batch_put_error(&out, call->lang, row->outcome, row->reason);
    bl_buf_puts(&out, "}\n");
    if (call->form.is_ascii) bl_json_to_ascii(&out, 0);
    return bl_call_answer_made(r, call, APR_SUCCESS, HTTP_OK,
                               "application/json; charset=utf-8", &out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_help - streams without a producer, for tests that have one thread.
 */
#ifndef BL_TEST_STREAM_HELP_H
#define BL_TEST_STREAM_HELP_H

#include "core.h"
#include "stream/cursor.h"

static inline bl_stream_t *new_stream(const char *id, size_t queue_bytes)
{
    bl_stream_spec_t spec;
    bl_stream_t *s;

    memset(&spec, 0, sizeof(spec));
    spec.id = id;
    spec.owner = "user:li";
    spec.conversation_id = "c1";
    spec.item_id = "i1";
    spec.app = "qa";
    spec.policy = BL_POLICY_DRAIN;
    spec.queue_bytes = queue_bytes;
    assert_int_equal(bl_stream_create(&s, &spec), APR_SUCCESS);
    return s;
}

static inline apr_status_t put(bl_stream_t *s, bl_event_kind_t kind,
                               const char *text, const char *fields)
{
    bl_event_t ev;

    memset(&ev, 0, sizeof(ev));
    ev.kind = kind;
    ev.text = text;
    ev.text_len = strlen(text);
    ev.fields = fields;
    ev.fields_len = fields ? strlen(fields) : 0;
    return bl_stream_rt_append(s, &ev);
}

static inline apr_status_t say(bl_stream_t *s, const char *text)
{
    return put(s, BL_EV_DELTA, text, NULL);
}

static inline void say_bytes(bl_stream_t *s, size_t n)
{
    char *text = malloc(n + 1);

    memset(text, 'x', n);
    text[n] = '\0';
    assert_int_equal(say(s, text), APR_SUCCESS);
    free(text);
}

static inline void count_wake(void *ctx)
{
    ++*(int *)ctx;
}

#endif

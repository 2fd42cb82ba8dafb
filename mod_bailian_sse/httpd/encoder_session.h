/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder_session - one JSON answer about a stream, for clients that poll or
 * wait for the whole (dialects.md 3).
 *
 * THREADS  as encoder.h.
 */
#ifndef BL_ENCODER_SESSION_H
#define BL_ENCODER_SESSION_H

#include "encoder.h"

/* What there is, as soon as there is something or the wait is over. */
extern const bl_encoder_kind_t bl_encoder_poll;
/* The whole, when it has ended. */
extern const bl_encoder_kind_t bl_encoder_sync;

/* Its members "error" and "code", also where another answer has them. */
void bl_session_put_failure(bl_buf_t *out, const bl_error_t *failure,
                            bl_lang_t lang);

/* The response is this error: an object with these and "status", left open for
 * what else is to be said of it. */
void bl_session_put_refusal(bl_buf_t *out, const bl_error_t *failure,
                            bl_lang_t lang);

#endif

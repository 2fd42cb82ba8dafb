/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder_batch - `?as=json`: a run of events as one JSON answer, for callers
 * that poll.
 *
 * It is complete when the END event is there; an end that is not a good one
 * is said with its sentence and code (fault-matrix.md 1.2).
 *
 * THREADS  as encoder.h.
 */
#ifndef BL_ENCODER_BATCH_H
#define BL_ENCODER_BATCH_H

#include "encoder.h"

/* What there is, as soon as there is something or the wait is over. */
extern const bl_encoder_kind_t bl_encoder_batch;

/* `,"error":...,"code":...` of an end that is not a good one, else nothing. */
void bl_batch_put_error(bl_buf_t *out, bl_lang_t lang, bl_outcome_t outcome,
                        const char *reason);

#endif

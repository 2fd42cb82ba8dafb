/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry - the streams of this child by id.
 *
 * OWNERSHIP  a listed stream holds one reference of the registry's.
 * THREADS    any. Lock order: registry before stream before journal.
 */
#ifndef BL_REGISTRY_H
#define BL_REGISTRY_H

#include "stream.h"

apr_status_t bl_registry_create(bl_registry_t **pr);
void bl_registry_destroy(bl_registry_t *r);

void bl_registry_add(bl_registry_t *r, bl_stream_t *s);    /* one more ref */
void bl_registry_remove(bl_registry_t *r, bl_stream_t *s); /* gives it back */

/* A reference for the caller, or NULL. */
bl_stream_t *bl_registry_find(bl_registry_t *r, const char *id);

int bl_registry_count(bl_registry_t *r);

#endif

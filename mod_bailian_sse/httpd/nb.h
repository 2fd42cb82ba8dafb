/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nb - the filter right above the core filter: writes without waiting while
 * the reactor owns a connection, and steps aside while a worker does
 * (httpd-async.md 2.3).
 *
 * What one pass brings down the chain is gathered and leaves in one call of
 * the system. Core gets only what the socket did not take: it would copy every
 * event into memory of the connection before it writes it, and keep two blocks
 * for that as long as the answer lasts.
 *
 * OWNERSHIP  part of its connection's context.
 * THREADS    whoever owns the connection; _rt_: reactor.
 * ERRORS     those of the socket; then nothing more can be written.
 */
#ifndef BL_NB_H
#define BL_NB_H

#include "httpd_private.h"

typedef struct bl_nb_t {
    conn_rec *c;
    int client_fd;            /* where it writes to; -1 = it steps aside */
    int is_gathering;         /* several brigades that leave in one write */
    apr_bucket_brigade *rest; /* on its way to core; made when needed */
    size_t given;             /* to core, when it last was */
    apr_off_t uncounted;      /* written, and not yet told to mod_logio */
} bl_nb_t;

void bl_nb_add(bl_nb_t *nb, conn_rec *c); /* pre_connection */
void bl_nb_work(bl_nb_t *nb, int client_fd);
void bl_nb_step_aside(bl_nb_t *nb);

/* Everything between the two leaves in one write. end() answers its failure,
 * or rv when that is one: then nothing is written. */
void bl_nb_rt_begin(bl_nb_t *nb);
apr_status_t bl_nb_rt_end(bl_nb_t *nb, ap_filter_t *core, apr_status_t rv);

void bl_nb_register(void);

#endif

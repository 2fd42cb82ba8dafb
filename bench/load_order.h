/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_order - the command line of the load client.
 *
 * OWNERSHIP  The texts are those of argv.
 * THREADS    One.
 * ERRORS     -1, after a sentence on stderr.
 */
#ifndef BENCH_LOAD_ORDER_H
#define BENCH_LOAD_ORDER_H

#include "load.h"

int bench_order_read(bench_order_t *order, bench_expect_t *expect, int argc,
                     char **argv);

#endif

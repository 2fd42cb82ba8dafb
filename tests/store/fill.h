/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fill - a database as years of use leave it, made in minutes, for tests.
 *
 * Rows are inserted by plain SQL into a database that nobody has open, a chunk
 * a transaction. Conversations are a minute apart, the newest one is `newest`.
 * Every hundredth belongs to "user:heavy"; each has `pairs` questions with
 * their answers, streams and stored events.
 */
#ifndef FILL_H
#define FILL_H

#include "base/bl.h"

#define FILL_MARK "qzxmark" /* stands in every answer */
#define FILL_RARE "稀有词"  /* in the answers of every 5000th conversation */

typedef struct fill_t {
    long conversations, owners, keys;
    int pairs;
    apr_time_t newest;
} fill_t;

/* path: made by a store that was closed. Ends the program when it fails. */
void fill(const char *path, const fill_t *f);

/* The number of a query. */
long fill_count(const char *path, const char *sql);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "nb.h"
#include "base/buf.h"

#include <sys/socket.h>

#define NB_FILTER "BAILIAN_NB"
/* A pass, what filters make of it, and the head of the response. */
#define GATHERED_MOST (8 * BL_PASS_BYTES)
#define GATHERED_KEPT (2 * BL_PASS_BYTES)

/* One buffer for all connections: it is empty between two passes. */
static bl_buf_t gathered = {NULL, 0, 0, GATHERED_MOST, APR_SUCCESS, NULL};

static void forget_gathered(void)
{
    bl_buf_clear(&gathered);
    if (gathered.size > GATHERED_KEPT) bl_buf_release(&gathered);
}

/* What mod_logio counts is told by who writes to the socket: once, before the
 * line is logged, since its memory is far from ours and cold at every event. */
static void count_bytes(bl_nb_t *nb)
{
    APR_OPTIONAL_FN_TYPE(ap_logio_add_bytes_out) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_logio_add_bytes_out);

    if (add && nb->uncounted) add(nb->c, nb->uncounted);
    nb->uncounted = 0;
}

/* As much as the socket takes now, from the front of gathered. */
static apr_status_t send_some(bl_nb_t *nb)
{
    ssize_t n;

    do {
        n = send(nb->client_fd, gathered.data, gathered.len,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return APR_SUCCESS;
        nb->c->aborted = 1; /* as core does */
        return errno;
    }
    nb->uncounted += n;
    bl_buf_consume(&gathered, (size_t)n);
    return APR_SUCCESS;
}

/* Core copies what it is given and tells of it by data_in_output_filters. */
static apr_status_t give_rest(bl_nb_t *nb, ap_filter_t *core)
{
    conn_rec *c = nb->c;
    apr_status_t rv;

    if (!nb->rest) nb->rest = apr_brigade_create(c->pool, c->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(
        nb->rest, apr_bucket_transient_create(gathered.data, gathered.len,
                                              c->bucket_alloc));
    nb->given = gathered.len;
    rv = ap_pass_brigade(core, nb->rest);
    apr_brigade_cleanup(nb->rest);
    return rv;
}

static apr_status_t send_gathered(bl_nb_t *nb, ap_filter_t *core)
{
    apr_status_t rv = bl_buf_status(&gathered);

    if (rv == APR_SUCCESS && gathered.len && !nb->c->data_in_output_filters)
        rv = send_some(nb); /* else it would overtake what core holds */
    if (rv == APR_SUCCESS && gathered.len) rv = give_rest(nb, core);
    forget_gathered();
    return rv;
}

/* Takes everything out of bb that is to be written. A FLUSH would make core
 * wait for the client, and the end of the body says nothing to it. */
static apr_status_t gather(apr_bucket_brigade *bb)
{
    apr_bucket *b = APR_BRIGADE_FIRST(bb), *next;
    apr_status_t rv = APR_SUCCESS;
    const char *data;
    apr_size_t n;

    for (; rv == APR_SUCCESS && b != APR_BRIGADE_SENTINEL(bb); b = next) {
        if (APR_BUCKET_IS_METADATA(b)) {
            next = APR_BUCKET_NEXT(b);
            if (APR_BUCKET_IS_FLUSH(b) || APR_BUCKET_IS_EOS(b))
                apr_bucket_delete(b);
            continue;
        }
        rv = apr_bucket_read(b, &data, &n, APR_BLOCK_READ);
        if (rv == APR_SUCCESS) rv = bl_buf_append(&gathered, data, n);
        next = APR_BUCKET_NEXT(b); /* reading may have split it */
        if (rv == APR_SUCCESS) apr_bucket_delete(b);
    }
    return rv;
}

static apr_status_t nb_filter(ap_filter_t *f, apr_bucket_brigade *bb)
{
    bl_nb_t *nb = f->ctx;
    apr_status_t rv = APR_SUCCESS;
    int has_more;

    if (nb->client_fd < 0) return ap_pass_brigade(f->next, bb);
    if (bb) rv = gather(bb);
    if (rv != APR_SUCCESS) {
        forget_gathered();
        return rv;
    }
    has_more = bb && !APR_BRIGADE_EMPTY(bb);
    if (nb->is_gathering && !has_more) return APR_SUCCESS;
    rv = send_gathered(nb, f->next);
    /* Other metadata has its place behind the bytes. */
    if (rv == APR_SUCCESS && has_more) rv = ap_pass_brigade(f->next, bb);
    return rv;
}

void bl_nb_add(bl_nb_t *nb, conn_rec *c)
{
    nb->c = c;
    nb->client_fd = -1;
    ap_add_output_filter(NB_FILTER, nb, NULL, c);
}

void bl_nb_work(bl_nb_t *nb, int client_fd)
{
    nb->client_fd = client_fd;
}

void bl_nb_step_aside(bl_nb_t *nb)
{
    nb->client_fd = -1;
    count_bytes(nb);
}

void bl_nb_rt_begin(bl_nb_t *nb)
{
    forget_gathered();
    nb->is_gathering = 1;
}

apr_status_t bl_nb_rt_end(bl_nb_t *nb, ap_filter_t *core, apr_status_t rv)
{
    nb->is_gathering = 0;
    if (rv == APR_SUCCESS) return send_gathered(nb, core);
    forget_gathered(); /* never for another connection to write */
    return rv;
}

void bl_nb_register(void)
{
    ap_register_output_filter(NB_FILTER, nb_filter, NULL, AP_FTYPE_NETWORK - 1);
}

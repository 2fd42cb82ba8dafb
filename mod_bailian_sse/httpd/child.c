/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"
#include "feed.h"
#include "park.h"
#include "workers.h"
#include "ws_socket.h"
#include "base/budget.h"
#include "base/heap.h"
#include "base/log_queue.h"
#include "crypto/keyring.h"
#include "engine/notes.h"
#include "shm/targets.h"

#include <apr_shm.h>
#include <apr_version.h>

#define SHM_KEY "mod_bailian_sse:shm"
#define SENTENCE 512
#define LOG_WAIT_MS 500 /* what the log gets at the end */

static bl_engine_t *engine;   /* of this child */
static bl_budget_t budget;    /* its part: streams may outlive the engine */
static bl_shm_t *shm;         /* mapped before the fork */
static bl_keyring_t *keyring; /* read as root, before the fork */

bl_engine_t *bl_child_engine(void)
{
    return engine;
}

bl_shm_t *bl_child_shm(void)
{
    return shm;
}

/* --- parent ------------------------------------------------------------- */

static apr_status_t close_keyring(void *data)
{
    (void)data;
    bl_keyring_close(keyring);
    keyring = NULL;
    return APR_SUCCESS;
}

/* Lives as long as the process, so that counters and the directory survive a
 * graceful restart. */
static apr_status_t make_shm(server_rec *s)
{
    apr_pool_t *pool = s->process->pool;
    apr_shm_t *segment = NULL;
    void *known = NULL;
    apr_status_t rv;

    apr_pool_userdata_get(&known, SHM_KEY, pool);
    if (known) {
        shm = known;
        return bl_shm_is_sound(shm) ? APR_SUCCESS : APR_EGENERAL;
    }
    rv = apr_shm_create(&segment, bl_shm_size(), NULL, pool);
    if (rv != APR_SUCCESS) return rv;
    shm = apr_shm_baseaddr_get(segment);
    rv = bl_shm_format(shm);
    if (rv == APR_SUCCESS) {
        /* Not setn: the key would lie in this module, which a restart loads
         * anew at another address, and the next look-up would read nothing. */
        apr_pool_userdata_set(shm, SHM_KEY, apr_pool_cleanup_null, pool);
    }
    return rv;
}

int bl_child_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                         server_rec *s)
{
    bl_server_conf_t *conf = bl_server_conf(s);
    const curl_version_info_data *curl;
    char err[SENTENCE] = "";
    apr_status_t rv;

    (void)plog;
    (void)ptemp;
    if (!conf->database) return OK;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    rv = bl_store_check_path(conf->database, err, sizeof(err));
    if (rv == APR_SUCCESS) {
        rv = bl_keyring_load(&keyring, conf->master_key, err, sizeof(err));
        if (rv != APR_SUCCESS) {
            /* D13: everything that needs no key goes on. */
            ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, BL_LOGNO(1841) "%s", err);
            rv = APR_SUCCESS;
        }
        else {
            apr_pool_cleanup_register(pconf, NULL, close_keyring,
                                      apr_pool_cleanup_null);
        }
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, BL_LOGNO(1842) "%s", err);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    rv = make_shm(s);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     BL_LOGNO(1843) "the shared memory (%" APR_SIZE_T_FMT
                                    " bytes) could not be made",
                     bl_shm_size());
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    bl_targets_of_database(shm, conf->database);
    budget.mine = -1;
    budget.limit = bl_conf_budget(conf);
    __atomic_store_n(&shm->budget_bytes, budget.limit, __ATOMIC_RELAXED);
    bl_conf_warn_mpm(s, conf);
    /* curl_version() starts libldap, and that never gives back what it took:
     * with each restart, in the parent. */
    curl = curl_version_info(CURLVERSION_NOW);
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                 BL_LOGNO(1846) "mod_bailian_sse/%s with libcurl/%s %s "
                                "SQLite/%s jansson/%s APR/%s",
                 BL_VERSION, curl->version, curl->ssl_version,
                 bl_store_sqlite_version(), jansson_version_str(),
                 apr_version_string());
    return OK;
}

/* --- child -------------------------------------------------------------- */

static apr_status_t close_engine(void *data)
{
    bl_engine_t *e = engine;

    (void)data;
    bl_park_close_all();
    bl_feed_close_all();
    engine = NULL;
    bl_engine_close(e);
    bl_log_queue_stop(LOG_WAIT_MS);
    return APR_SUCCESS;
}

void bl_child_init(apr_pool_t *pchild, server_rec *s)
{
    bl_server_conf_t *conf = bl_server_conf(s);
    bl_engine_conf_t ec = {0};
    char err[SENTENCE] = "";
    apr_status_t rv;

    if (!conf->database || !shm) return;
    ec.database = conf->database;
    ec.keyring = keyring;
    ec.shm = shm;
    ec.allowed = &conf->allowed;
    ec.streams_per_child = conf->streams_per_child != BL_UNSET
                               ? conf->streams_per_child
                               : BL_STREAMS_PER_CHILD;
    ec.streams_all =
        conf->streams_all != BL_UNSET ? conf->streams_all : BL_STREAMS_ALL;
    ec.drain_ms = conf->drain_ms != BL_UNSET ? conf->drain_ms : BL_DRAIN_MS;
    ec.budget = &budget;
    ec.at_rest = bl_workers_forget;
    bl_heap_bound();
    bl_log_queue_start();
    rv = bl_engine_open(&engine, &ec, err, sizeof(err));
    if (rv != APR_SUCCESS) {
        bl_log_queue_stop(LOG_WAIT_MS);
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     BL_LOGNO(1844) "this child cannot serve streams: %s", err);
        return;
    }
    apr_pool_cleanup_register(pchild, NULL, close_engine,
                              apr_pool_cleanup_null);
    rv = bl_notes_listen(engine, bl_talk_note);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s,
                     BL_LOGNO(1852) "this child hears nothing of what callers "
                                    "tell their connections in other ones");
    }
}

void bl_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    if (!engine) return;
    bl_engine_drain(engine, graceful);
    bl_sockets_drain();
}

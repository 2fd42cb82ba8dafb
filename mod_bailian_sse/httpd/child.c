/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"
#include "feed.h"
#include "park.h"
#include "workers.h"
#include "ws_socket.h"
#include "base/budget.h"
#include "base/heap.h"
#include "base/log_queue.h"
#include "base/thread.h"
#include "crypto/keyring.h"
#include "engine/notes.h"
#include "shm/targets.h"

#include <http_main.h>

#include <apr_shm.h>
#include <apr_version.h>
#include <sys/prctl.h>

#define SHM_KEY "mod_bailian_sse:shm"
#define SENTENCE 512
#define LOG_WAIT_MS 500 /* what the log gets at the end */
#define OPEN_AGAIN_MS 2000

static bl_engine_conf_t engine_conf;
static bl_engine_t *engine;   /* of this child; NULL: it has none yet */
static bl_budget_t budget;    /* its part: streams may outlive the engine */
static bl_shm_t *shm;         /* mapped before the fork */
static bl_keyring_t *keyring; /* read as root, before the fork */

bl_engine_t *bl_child_engine(void)
{
    return __atomic_load_n(&engine, __ATOMIC_ACQUIRE);
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

/* What was wrong when the child began may be over later: a lock that another
 * program held for long (D03), a full disk. Until then it answers 503. */
static struct {
    pthread_t thread;
    int is_started;
    pthread_mutex_t lock;
    pthread_cond_t told;
    int must_stop;        /* guarded by lock */
    char heard[SENTENCE]; /* said last; the thread's own */
} opener = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int must_stop(void *unused)
{
    int is_so;

    (void)unused;
    pthread_mutex_lock(&opener.lock);
    is_so = opener.must_stop;
    pthread_mutex_unlock(&opener.lock);
    return is_so;
}

static apr_status_t open_engine(char *err)
{
    bl_engine_t *e;
    apr_status_t rv = bl_engine_open(&e, &engine_conf, err, SENTENCE);

    if (rv != APR_SUCCESS) return rv;
    rv = bl_notes_listen(e, bl_talk_note);
    if (rv != APR_SUCCESS) {
        bl_log(BL_LOG_WARNING, rv,
               BL_LOGNO(1852) "this child hears nothing of what callers tell "
                              "their connections in other ones");
    }
    __atomic_store_n(&engine, e, __ATOMIC_RELEASE);
    return APR_SUCCESS;
}

static void tell_refused(apr_status_t rv, const char *err)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT, rv, ap_server_conf,
                 BL_LOGNO(1844) "this child cannot serve streams: %s", err);
}

/* 1 = the child ends. */
static int wait_to_open(void)
{
    struct timespec until = bl_cond_until(OPEN_AGAIN_MS);
    int is_told;

    pthread_mutex_lock(&opener.lock);
    while (!opener.must_stop &&
           !pthread_cond_timedwait(&opener.told, &opener.lock, &until))
        ;
    is_told = opener.must_stop;
    pthread_mutex_unlock(&opener.lock);
    return is_told;
}

static void *open_later(void *unused)
{
    char err[SENTENCE];
    apr_status_t rv;

    (void)unused;
    prctl(PR_SET_NAME, "bl-opener");
    while (!wait_to_open()) {
        rv = open_engine(err);
        if (rv == APR_SUCCESS) {
            bl_log(BL_LOG_WARNING, 0,
                   BL_LOGNO(1853) "this child serves streams now");
            break;
        }
        if (strcmp(err, opener.heard)) tell_refused(rv, err);
        apr_cpystrn(opener.heard, err, SENTENCE);
    }
    return NULL;
}

static void start_opener(void)
{
    bl_cond_init(&opener.told);
    opener.is_started = !bl_thread_start(&opener.thread, open_later, NULL);
}

static void tell_opener(void)
{
    if (!opener.is_started) return;
    pthread_mutex_lock(&opener.lock);
    opener.must_stop = 1;
    pthread_cond_signal(&opener.told);
    pthread_mutex_unlock(&opener.lock);
}

static apr_status_t close_engine(void *data)
{
    bl_engine_t *e;

    (void)data;
    tell_opener();
    if (opener.is_started) pthread_join(opener.thread, NULL);
    e = bl_child_engine();
    if (e) {
        bl_park_close_all();
        bl_feed_close_all();
        __atomic_store_n(&engine, NULL, __ATOMIC_RELEASE);
        bl_engine_close(e);
    }
    bl_log_queue_stop(LOG_WAIT_MS);
    return APR_SUCCESS;
}

void bl_child_init(apr_pool_t *pchild, server_rec *s)
{
    bl_server_conf_t *conf = bl_server_conf(s);
    apr_status_t rv;

    if (!conf->database || !shm) return;
    engine_conf.database = conf->database;
    engine_conf.keyring = keyring;
    engine_conf.shm = shm;
    engine_conf.allowed = &conf->allowed;
    engine_conf.streams_per_child = conf->streams_per_child != BL_UNSET
                                        ? conf->streams_per_child
                                        : BL_STREAMS_PER_CHILD;
    engine_conf.streams_all =
        conf->streams_all != BL_UNSET ? conf->streams_all : BL_STREAMS_ALL;
    engine_conf.drain_ms =
        conf->drain_ms != BL_UNSET ? conf->drain_ms : BL_DRAIN_MS;
    engine_conf.budget = &budget;
    engine_conf.is_over = must_stop;
    engine_conf.at_rest = bl_workers_forget;
    bl_heap_bound();
    bl_log_queue_start();
    rv = open_engine(opener.heard);
    if (rv != APR_SUCCESS) {
        tell_refused(rv, opener.heard);
        start_opener();
    }
    apr_pool_cleanup_register(pchild, NULL, close_engine,
                              apr_pool_cleanup_null);
}

void bl_child_stopping(apr_pool_t *pchild, int graceful)
{
    bl_engine_t *e;

    (void)pchild;
    tell_opener();
    e = bl_child_engine();
    if (!e) return;
    bl_engine_drain(e, graceful);
    bl_sockets_drain();
}

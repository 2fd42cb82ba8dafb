/* SPDX-License-Identifier: Apache-2.0 */
#include "log_httpd.h"

static server_rec *main_server;

static const int levels[] = {APLOG_ERR, APLOG_WARNING, APLOG_INFO, APLOG_DEBUG,
                             APLOG_TRACE2};

static void to_httpd(bl_log_level_t level, apr_status_t rv, const char *line)
{
    /* Our own codes mean nothing to apr_strerror(). */
    if (rv > BL_E_BASE && rv < BL_E_END) rv = APR_SUCCESS;
    ap_log_error(APLOG_MARK, levels[level], rv, main_server, "%s", line);
}

void bl_log_httpd_install(server_rec *s)
{
    int most = BL_LOG_ERR;

    main_server = s;
    while (most < BL_LOG_TRACE && APLOG_IS_LEVEL(s, levels[most + 1]))
        most++;
    bl_log_install(to_httpd, (bl_log_level_t)most);
}

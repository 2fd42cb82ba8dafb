/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpd_private - the httpd headers of this layer, and the module's name for
 * the log. The file with AP_DECLARE_MODULE does not include it.
 */
#ifndef BL_HTTPD_PRIVATE_H
#define BL_HTTPD_PRIVATE_H

#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <ap_mpm.h>
#include <mpm_common.h>
#include <scoreboard.h>
#include <util_filter.h>
#include <apr_strings.h>

#include "base/bl.h"
#include "base/errors.h"
#include "base/log.h"

#ifndef BL_DECLARES_MODULE
extern module AP_MODULE_DECLARE_DATA bailian_sse_module;
APLOG_USE_MODULE(bailian_sse);
#endif

#define BL_HANDLER "bailian-sse"
#define BL_ADMIN_HANDLER "bailian-admin"

#endif

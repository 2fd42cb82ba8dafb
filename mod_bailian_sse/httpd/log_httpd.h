/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_httpd - ap_log_error under base/log.
 *
 * THREADS  install: the main thread, before others exist.
 */
#ifndef BL_LOG_HTTPD_H
#define BL_LOG_HTTPD_H

#include "httpd_private.h"

void bl_log_httpd_install(server_rec *s);

#endif

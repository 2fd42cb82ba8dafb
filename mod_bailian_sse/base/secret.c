/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <stdlib.h>
#include <string.h>

void bl_secret_wipe(void *p, size_t len)
{
    explicit_bzero(p, len);
}

void bl_secret_free(char *secret)
{
    if (!secret) return;
    bl_secret_wipe(secret, strlen(secret));
    free(secret);
}

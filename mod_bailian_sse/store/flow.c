/* SPDX-License-Identifier: Apache-2.0 */
#include "store/flow.h"

#include <string.h>

static const struct {
    const char *name;
    bl_flow_mode_t mode;
} modes[] = {
    {"none", BL_FLOW_NONE},
    {"full_thoughts", BL_FLOW_FULL_THOUGHTS},
    {"message_format", BL_FLOW_MESSAGE},
    {"message_format_plus", BL_FLOW_MESSAGE_PLUS},
    {"agent_format", BL_FLOW_AGENT},
};

int bl_flow_from_name(const char *name, bl_flow_mode_t *pmode)
{
    size_t i;

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i].name, name)) continue;
        *pmode = modes[i].mode;
        return 1;
    }
    return 0;
}

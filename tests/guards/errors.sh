#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# errors - docs/errors.md lists exactly the lines of base/errors.h.
. "$(dirname "$0")/common.sh"

list=docs/errors.md

# "<code> <http> <module retries> <client may retry>" for each line
in_header() {
    tr -d '\\\n' <"$root/mod_bailian_sse/base/errors.h" |
        grep -oE 'X\([A-Z_0-9]+, *[0-9]+, *"[a-z_0-9]+", *[A-Z]+, *[01],' |
        awk -F'[(," ]+' '{
            print $4, $3, tolower($5), ($6 == 1 ? "yes" : "no") }' | sort
}

in_document() {
    awk -F' *[|] *' '/^\| `/ { gsub(/`/, ""); print $2, $3, $4, $5 }' \
        "$root/$list" | sort
}

check() {
    local line
    seen "$(in_header | grep -c . || true)"
    while read -r line; do
        fault "not in $list as it is in errors.h: $line"
    done < <(comm -23 <(in_header) <(in_document))
    while read -r line; do
        fault "in $list but not so in errors.h: $line"
    done < <(comm -13 <(in_header) <(in_document))
}

plants() { echo code_not_listed code_unknown status_changed; }
code_not_listed() { sed -i '/^| `upstream_dns`/d' "$list"; }
code_unknown() { echo '| `made_up` | 500 | no | no | x |' >>"$list"; }
status_changed() { sed -i 's/X(NOT_FOUND, 404/X(NOT_FOUND, 418/' mod_bailian_sse/base/errors.h; }

guard_main "$@"

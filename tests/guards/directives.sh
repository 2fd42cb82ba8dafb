#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# directives - each directive is documented and tested; each field they set is
# unset at first, merged, and has a default.
. "$(dirname "$0")/common.sh"

httpd=mod_bailian_sse/httpd
document=docs/directives.md

names() {
    tr -d '\n' <"$root/$httpd/directives.c" |
        grep -oE 'AP_INIT_[A-Z0-9_]+\( *"Bailian[A-Za-z]+"' | grep -oE 'Bailian[A-Za-z]+'
}

# Body of the function or struct that the first match of $1 begins.
body_of() { awk -v at="$1" '$0 ~ at { on = 1 } on { print } on && /^}/ { exit }' "$2"; }

# "<kind> <field>" of bl_dir_conf_t: kind is pointer or number
fields() {
    body_of '^typedef struct bl_dir_conf_t' "$root/$httpd/config.h" |
        sed -E 's@/\*.*\*/@@; s/^ +//; s/ +$//' | grep '^[^}].*;$' | tr -d ';' |
        awk '/\*/ { sub(/.*\*/, ""); print "pointer " $1; next }
             { sub(/^[a-z_0-9]+ /, ""); n = split($0, a, /, */)
               for (i = 1; i <= n; i++) print "number " a[i] }'
}

check_field() {
    local kind=$1 field=$2 config=$root/$httpd/config.c
    body_of '^void \*bl_dir_conf_merge' "$config" |
        grep -qE "NEARER\($field\)|->$field \?" ||
        fault "$field is not merged"
    [ "$kind" = number ] || return 0
    body_of '^void \*bl_dir_conf_create' "$config" | tr -d '\n' |
        grep -qE "conf->$field =( *conf->[a-z_0-9]+ =)* *BL_UNSET" ||
        fault "$field is not unset at first"
    body_of '^bl_dir_conf_t bl_dir_conf_effective' "$config" |
        grep -q "DEFAULT($field," || fault "$field has no default"
}

check() {
    local name kind field
    while read -r name; do
        seen
        grep -qx "## $name" "$root/$document" || fault "$name is not in $document"
        # Behind an escaped line end too: "on\nBailianApp name".
        grep -rqE --include='*.py' --include='*.c' --include='*.mjs' \
            "(^|\\\\n|[^A-Za-z])$name([^A-Za-z]|\$)" "$root/tests" ||
            fault "$name is in no test"
    done < <(names)
    while read -r name; do
        names | grep -qx "$name" || fault "$name is in $document and not in the module"
    done < <(sed -nE 's/^## (Bailian[A-Za-z]+)$/\1/p' "$root/$document")
    while read -r kind field; do
        seen
        check_field "$kind" "$field"
    done < <(fields)
}

prepare_copy() { keep_layers httpd; }

plants() {
    echo undocumented unknown untested not_merged not_unset no_default
}
undocumented() { sed -i '/^## BailianHeartbeat$/d' "$document"; }
unknown() { echo '## BailianNothing' >>"$document"; }
untested() {
    sed -i 's/AP_INIT_TAKE1("BailianApp"/AP_INIT_TAKE1("BailianPlanted", 0), &/' \
        "$httpd/directives.c"
    echo '## BailianPlanted' >>"$document"
}
not_merged() { sed -i '/NEARER(gap_ms);/d' "$httpd/config.c"; }
not_unset() { sed -i '/conf->slow_ms = BL_UNSET;/d' "$httpd/config.c"; }
no_default() { sed -i '/DEFAULT(total_ms,/d' "$httpd/config.c"; }

guard_main "$@"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# one_symbol - the built module exports its record and nothing else; the
# linker's hardening is in it (S-65).
. "$(dirname "$0")/common.sh"

command -v readelf >/dev/null || skip "readelf is not installed"

check() {
    local module=$builddir/.libs/mod_bailian_sse.so name dynamic
    [ -f "$module" ] || return 0 # "found nothing to check"
    while read -r name; do
        seen
        [ "$name" = bailian_sse_module ] || fault "exports $name"
    done < <(readelf --dyn-syms -W "$module" |
        awk '$5 ~ /GLOBAL|WEAK/ && $7 != "UND" && $8 != "" { print $8 }')
    dynamic=$(readelf -dW "$module")
    grep -qE 'BIND_NOW|FLAGS.*NOW' <<<"$dynamic" || fault "not linked with -z now"
    ! grep -q TEXTREL <<<"$dynamic" || fault "has text relocations"
    dynamic=$(readelf -lW "$module")
    grep -q GNU_RELRO <<<"$dynamic" || fault "not linked with -z relro"
    grep -qE 'GNU_STACK.* RW ' <<<"$dynamic" || fault "its stack is executable"
}

# Modules of one line stand in for the real one.
link_planted() {
    mkdir -p .libs
    printf 'int bailian_sse_module; %s\n' "$1" | ${CC:-cc} -shared -fPIC \
        -o .libs/mod_bailian_sse.so -x c - "${@:2}"
}
hardened='-Wl,-z,relro,-z,now,-z,noexecstack'
prepare_copy() { link_planted '' $hardened; }

plants() { echo second_symbol executable_stack lazy_binding nothing_built; }
second_symbol() { link_planted 'int other;' $hardened; }
executable_stack() { link_planted '' -Wl,-z,relro,-z,now,-z,execstack; }
lazy_binding() { link_planted '' -Wl,-z,norelro,-z,lazy,-z,noexecstack; }
nothing_built() { rm -r .libs; }

guard_main "$@"

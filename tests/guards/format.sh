#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# format - clang-format has nothing to say, every file names its licence; a
# file of more than 600 lines is reported only.
. "$(dirname "$0")/common.sh"

command -v clang-format >/dev/null || skip "clang-format is not installed"

# C of the module, of the tests and of the tools.
all_c() {
    find "$root/mod_bailian_sse" "$root/tests" "$root/bench" -name '*.[ch]' \
        2>/dev/null | sort
}

licensed() {
    all_c
    find "$root/build" "$root/tests" "$root/sql" "$root/bench" \
        -not -path '*/node_modules/*' -not -name ltmain.sh \
        \( -name '*.sh' -o -name '*.py' -o -name '*.sql' \) |
        sort
    printf '%s\n' "$root/Makefile.am" "$root/configure.ac" "$root/build/run" \
        "$root/build/test" "$root/build/mpm-conf" "$root/.ci/run"
}

check() {
    local file lines
    while read -r file; do
        seen
        head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
            fault "${file#"$root/"}: no SPDX line on top"
    done < <(licensed)
    while read -r file; do
        fault "${file#"$root/"}: run clang-format -i"
    done < <(all_c | xargs clang-format --style=file:"$root/.clang-format" \
        --dry-run 2>&1 | sed -n 's/:[0-9:]* warning: .*//p' | sort -u)
    while read -r lines file; do
        [ "$lines" -le 600 ] || [ "$file" = total ] ||
            printf 'note: %s has %d lines\n' "${file#"$root/"}" "$lines"
    done < <(all_c | xargs wc -l)
}

prepare_copy() { keep_layers base; }

plants() { echo unformatted unlicensed; }
unformatted() { printf 'int  x ;\n' >>mod_bailian_sse/base/buf.c; }
unlicensed() { sed -i 1d mod_bailian_sse/base/buf.c; }

guard_main "$@"

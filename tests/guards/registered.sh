#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# registered - each source, test, fuzz target and guard stands in Makefile.am.
. "$(dirname "$0")/common.sh"

check() {
    local file words
    words=$(tr -s ' \t\\=' '\n' <"$root/Makefile.am" |
        sed 's|^$(src)/|mod_bailian_sse/|')
    while read -r file; do
        seen
        file=${file#"$root/"}
        grep -qxF -e "$file" -e "${file%.c}" <<<"$words" ||
            fault "$file is not in Makefile.am"
    done < <(
        sources
        find "$root/tests/unit" -name 'test_*.c' 2>/dev/null
        find "$root/tests/fuzz" -name 'fuzz_*.c' 2>/dev/null
        find "$root/tests/guards" -name '*.sh' -not -name common.sh
    )
}

plants() { echo new_source new_test new_guard; }
new_source() { cp mod_bailian_sse/base/buf.c mod_bailian_sse/base/planted.c; }
new_test() { mkdir -p tests/unit && echo 'int x;' >tests/unit/test_planted.c; }
new_guard() { echo true >tests/guards/planted.sh; }

guard_main "$@"

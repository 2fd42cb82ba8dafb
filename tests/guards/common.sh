# SPDX-License-Identifier: Apache-2.0
# common - what every guard shares. A guard sources this file, defines
#   check          looks at the tree $root, calls fault for each violation and
#                  seen for each thing it looked at
#   plants         prints the names of functions, each of which breaks a copy
#                  of the tree (it runs inside the copy)
# and ends with: guard_main "$@"
#
# A guard that has seen nothing fails: it looks in the wrong place.
# --self-test plants each violation in a copy and wants the guard to fail.
set -euo pipefail
export LC_ALL=C

guard=$(basename "${BASH_SOURCE[1]}")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=${GUARD_ROOT:-$(cd "$here/../.." && pwd -P)}
builddir=${GUARD_BUILDDIR:-$PWD}
faults=0
looked_at=0

fault() {
    printf '%s: %s\n' "$guard" "$*"
    faults=$((faults + 1))
}

seen() { looked_at=$((looked_at + ${1:-1})); }

# Skipped by automake: what the guard needs is not there, and said why.
skip() {
    printf '%s: skipped: %s\n' "$guard" "$*"
    exit 77
}

sources() { find "$root/mod_bailian_sse" -name '*.[ch]' | sort; }

# C source without comments: a word in a sentence is no call.
code_of() {
    awk '{
        line = $0; out = ""
        while (line != "") {
            if (inside) {
                at = index(line, "*/")
                if (!at) break
                line = substr(line, at + 2); inside = 0
            } else {
                at = index(line, "/*")
                if (!at) { out = out line; break }
                out = out substr(line, 1, at - 1)
                line = substr(line, at + 2); inside = 1
            }
        }
        print out
    }' "$1"
}

copy_of_tree() {
    # 1: a file changed meanwhile, as when somebody works on it.
    (cd "$root" && tar cf - --exclude='./_*' --exclude=./.git \
        --exclude=./autom4te.cache --exclude=./configure --exclude=./Makefile.in \
        --exclude=node_modules --exclude='*.png' . || [ $? -eq 1 ]) | (cd "$1" && tar xf -)
    chmod -R u+w "$1"
    (cd "$1" && prepare_copy)
}

# A guard may make its copies smaller, or put something there.
prepare_copy() { :; }

# keep_layers DIR...: only these directories of the sources.
keep_layers() {
    local dir
    for dir in mod_bailian_sse/*/; do
        [[ " $* " == *" $(basename "$dir") "* ]] || rm -rf "$dir"
    done
    rm -rf bench tests/[!g]*
}

# faults_in COPY: how many the guard finds there; its output in COPY.out
faults_in() {
    GUARD_ROOT=$1 GUARD_BUILDDIR=$1 "$here/$guard" >"$1.out" 2>&1 || true
    sed -n 's/.*, \([0-9]*\) faults$/\1/p' "$1.out"
}

self_test() {
    local plant before after work missed=0
    work=$(mktemp -d)
    mkdir "$work/clean" && copy_of_tree "$work/clean"
    before=$(faults_in "$work/clean")
    for plant in $(plants); do
        cp -a "$work/clean" "$work/$plant"
        (cd "$work/$plant" && "$plant")
        after=$(faults_in "$work/$plant")
        if [ "${after:-0}" -gt "${before:-0}" ]; then
            printf '%s: noticed %s: %s\n' "$guard" "$plant" \
                "$(grep -vxFf "$work/clean.out" "$work/$plant.out" | head -n 1)"
        else
            printf '%s: did not notice %s\n' "$guard" "$plant"
            missed=$((missed + 1))
        fi
        rm -rf "${work:?}/$plant"
    done
    rm -rf "$work"
    [ $missed -eq 0 ]
}

guard_main() {
    if [ "${1:-}" = --self-test ]; then
        self_test
        return
    fi
    check
    [ $looked_at -gt 0 ] || fault "found nothing to check below $root"
    printf '%s: looked at %d, %d faults\n' "$guard" $looked_at $faults
    [ $faults -eq 0 ]
}

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# security - docs/security.md has one row for each requirement, S-01 to S-79,
# and each test, file or guard that a row names is there (S-79).
. "$(dirname "$0")/common.sh"

page=docs/security.md

# Every name of a test, one a line.
tests_there() {
    grep -rhoE --include='*.py' --include='*.c' '\btest_[a-z0-9_]+' \
        "$root/tests" | sort -u
}

proof_is_there() {
    case $1 in
    */* | *.md) [ -e "$root/$1" ] ;;
    *.sh) [ -e "$root/tests/guards/$1" ] ;;
    *) grep -qxF -e "$1" <<<"$names" ;;
    esac
}

check_row() {
    local id=$1 row=$2 proofs proof
    proofs=$(awk -F'|' '{ print $4 }' <<<"$row" | grep -oE '`[^`]+`' | tr -d '`') ||
        true
    if [ -z "$proofs" ]; then
        [[ $row == *'*not here*:'* ]] || fault "$id names no test"
        return
    fi
    while read -r proof; do
        seen
        proof_is_there "$proof" || fault "$id names $proof, which is not there"
    done <<<"$proofs"
}

check() {
    local number id rows names
    names=$(tests_there)
    for number in $(seq 1 79); do
        id=$(printf 'S-%02d' "$number")
        rows=$(grep -c "^| $id |" "$root/$page") || true
        if [ "$rows" != 1 ]; then
            fault "$page has $rows rows of $id"
            continue
        fi
        check_row "$id" "$(grep "^| $id |" "$root/$page")"
    done
}

prepare_copy() { rm -rf bench mod_bailian_sse docs/screenshots; }
plants() { echo row_is_gone test_is_gone row_without_a_test; }
row_is_gone() { sed -i '/^| S-30 /d' $page; }
test_is_gone() { sed -i 's/test_c25_unknown/test_c25_renamed/g' tests/httpd/*.py; }
row_without_a_test() { sed -i '/^| S-30 /s/`[^`]*`//g' $page; }

guard_main "$@"

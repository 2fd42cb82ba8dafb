#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# log_numbers - every message has a number of its directory's range, used once
# and listed in docs/log-numbers.md; the list holds no other.
. "$(dirname "$0")/common.sh"

list=docs/log-numbers.md

# The hundreds that base/log.h gives to each directory.
range_of() {
    case $1 in
    base | wire) echo 10 ;;
    crypto) echo 11 ;;
    shm) echo 12 ;;
    stream) echo 13 ;;
    store) echo 14 ;;
    reactor) echo 15 ;;
    upstream) echo 16 ;;
    engine) echo 13 16 ;; # streams and attempts
    auth) echo 17 ;;
    httpd) echo 18 ;;
    tool) echo 19 ;;
    *) echo none ;;
    esac
}

# "<file>:<code without line ends>" of each file that has messages.
code_with_messages() {
    local file
    grep -rlE 'BL_LOGNO|bl_log|ap_log_' --include='*.[ch]' "$root/mod_bailian_sse" |
        while read -r file; do
            printf '%s:%s\n' "${file#"$root/mod_bailian_sse/"}" \
                "$(code_of "$file" | grep -v '^#' | tr -s ' \t\n' ' ')"
        done
}

# "<number> <file>" for each use
numbers_used() {
    while IFS=: read -r file code; do
        grep -oE 'BL_LOGNO\( ?[0-9]+ ?\)' <<<"$code" | tr -dc '0-9\n' |
            sed "s|\$| $file|" || true
    done <<<"$code_lines"
}

numbers_listed() { sed -nE 's/^\| BL([0-9]+) \|.*/\1/p' "$root/$list"; }

# A message from DEBUG up without a number.
check_unnumbered() {
    local file code line
    while IFS=: read -r file code; do
        while read -r line; do
            fault "$file: no number in: ${line:0:70}"
        done < <(grep -oE '(bl_log(_write)?|ap_log_[a-z]*error) *\([^;]*;' <<<"$code" |
            grep -vE 'BL_LOGNO|BL_LOG_TRACE|APLOG_TRACE' |
            grep -E '\b(BL_LOG|APLOG)_(EMERG|ALERT|CRIT|ERR|WARNING|NOTICE|INFO|DEBUG)\b' || true)
    done <<<"$code_lines"
}

check() {
    local number file layer used listed
    code_lines=$(code_with_messages)
    used=$(numbers_used | sort)
    while read -r number file; do
        [ -n "$number" ] || continue
        seen
        layer=${file%%/*}
        [[ " $(range_of "$layer") " == *" ${number%??} "* ]] ||
            fault "$file: $number is not of the range of $layer/"
    done <<<"$used"
    while read -r number; do
        [ -z "$number" ] || fault "$number is used more than once"
    done < <(awk '{ print $1 }' <<<"$used" | uniq -d)
    listed=$(numbers_listed | sort)
    while read -r number; do
        [ -z "$number" ] || fault "$number is not in $list"
    done < <(comm -23 <(awk 'NF { print $1 }' <<<"$used" | uniq) <(uniq <<<"$listed"))
    while read -r number; do
        [ -z "$number" ] || fault "$number is in $list but not in the sources"
    done < <(comm -13 <(awk 'NF { print $1 }' <<<"$used" | uniq) <(uniq <<<"$listed"))
    while read -r number; do
        [ -z "$number" ] || fault "$number is in $list more than once"
    done < <(uniq -d <<<"$listed")
    check_unnumbered
}

plants() { echo unlisted used_twice only_listed out_of_range unnumbered; }
planted() { printf 'void planted(void)\n{\n    bl_log(%s);\n}\n' "$1" >>"$2"; }
unlisted() { planted 'BL_LOG_INFO, 0, BL_LOGNO(1399) "x"' mod_bailian_sse/stream/stream.c; }
used_twice() {
    local n
    code_lines=$(code_with_messages)
    n=$(numbers_used | awk '$2 ~ /^stream/ { print $1; exit }')
    planted "BL_LOG_INFO, 0, BL_LOGNO($n) \"x\"" mod_bailian_sse/stream/journal.c
}
only_listed() { echo '| BL1398 | info | nothing says this |' >>"$list"; }
out_of_range() { planted 'BL_LOG_INFO, 0, BL_LOGNO(1999) "x"' mod_bailian_sse/stream/stream.c; }
unnumbered() { planted 'BL_LOG_WARNING, 0, "x %d", 1' mod_bailian_sse/stream/stream.c; }

guard_main "$@"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# mpm_conf - the shipped MPM configuration is what build/mpm-conf makes, and a
# child of any configuration it makes holds its share and a tenth more.
. "$(dirname "$0")/common.sh"

shipped=build/conf/mpm-10000.conf

value() { awk -v name="$1" '$1 == name { print $2 }' <<<"$2"; }

check_formula() {
    local streams=$1 children=$2 conf threads factor cap
    seen
    conf=$("$root/build/mpm-conf" "$streams" "$children")
    threads=$(value ThreadsPerChild "$conf")
    factor=$(value AsyncRequestWorkerFactor "$conf")
    cap=$((threads + threads * factor))
    [ $((cap * children * 10)) -ge $((streams * 11)) ] ||
        fault "$streams in $children: a child accepts only $cap"
    [ "$(value MaxRequestWorkers "$conf")" -eq $((threads * children)) ] ||
        fault "$streams in $children: not all children start"
    [ "$(value MaxSpareThreads "$conf")" -eq $((threads * children)) ] ||
        fault "$streams in $children: spare threads end busy children"
    grep -q "LimitNOFILE=$((cap * 3 + 300))\$" <<<"$conf" ||
        fault "$streams in $children: too few files"
}

check() {
    local streams children
    "$root/build/mpm-conf" 10000 2 | cmp -s - "$root/$shipped" ||
        fault "$shipped is not what build/mpm-conf 10000 2 prints"
    for streams in 1 100 1000 9999 10000 20000; do
        for children in 1 2 3 8; do
            check_formula $streams $children
        done
    done
    ! "$root/build/mpm-conf" ten 2>/dev/null || fault 'accepts "ten"'
    ! "$root/build/mpm-conf" 10 0 2>/dev/null || fault "accepts no children"
}

plants() { echo stale formula_without_reserve; }
stale() { sed -i s/5504/5505/ "$shipped"; }
formula_without_reserve() { sed -i 's/streams \* 11/streams * 8/' build/mpm-conf; }

guard_main "$@"

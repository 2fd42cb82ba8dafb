#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# self_test - every guard notices each violation that is planted for it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
missed=0
for guard in "$here"/*.sh; do
    case ${guard##*/} in common.sh | self_test.sh) continue ;; esac
    rc=0
    "$guard" --self-test || rc=$?
    [ $rc -eq 0 ] || [ $rc -eq 77 ] || missed=$((missed + 1))
done
[ $missed -eq 0 ]

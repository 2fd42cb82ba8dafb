#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh <source dir> <work dir> <seconds> [target ...]
# Builds each fuzz target with libFuzzer and the sanitizers and runs it that
# long, on one core. New inputs stay in <work dir>/<target>; what stopped a
# target is left as <work dir>/<target>-crash-*. CPPFLAGS and LIBS come from
# the environment (make fuzz sets them).
set -eu
src=$1 work=$2 seconds=$3
shift 3
code=$src/mod_bailian_sse
if [ $# -eq 0 ]; then
    set -- $(cd "$src/tests/fuzz" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
fi
mkdir -p "$work"
for target; do
    mkdir -p "$work/$target"
    ${FUZZ_CC:-clang} -g -O1 -std=gnu99 -D_GNU_SOURCE \
        -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        $CPPFLAGS "$src/tests/fuzz/fuzz_$target.c" \
        "$code"/base/{buf,clock,errors,json,log,time_text,utf8}.c \
        "$code/stream/event.c" "$code/auth/jwt.c" \
        "$code"/crypto/{signature,token}.c "$code/store/names.c" \
        "$code/upstream/address.c" "$code"/wire/ws_*.c \
        "$code"/wire/{chat_writer,json_scan,json_write}.c \
        "$code"/wire/{sse_parser,sse_writer}.c \
        "$code"/upstream/{dialect,dialect_app}.c "$code"/upstream/app_*.c \
        -o "$work/fuzz_$target" $LIBS
    echo "fuzz_$target: $seconds s"
    "$work/fuzz_$target" -max_total_time="$seconds" -max_len=8192 \
        -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$work/$target-" \
        "$work/$target" "$src/tests/fuzz/corpus/$target" \
        2>"$work/$target.log" || {
        tail -40 "$work/$target.log"
        exit 1
    }
    grep 'number_of_executed_units' "$work/$target.log"
done

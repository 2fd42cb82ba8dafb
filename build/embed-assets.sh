#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# embed-assets.sh OUT.c NAME [AS=]FILE... - turns files into one C source:
#   const bl_asset_t NAME[]; const int NAME_count;
# in the order given. A file is called AS, or by the last part of its path.
# OUT.c appears whole or not at all.
set -eu
if [ $# -lt 3 ]; then
    echo "usage: embed-assets.sh OUT.c NAME [AS=]FILE..." >&2
    exit 2
fi
out=$1
name=$2
shift 2
tmp=$out.tmp.$$
trap 'rm -f "$tmp"' EXIT
{
    echo '/* made by build/embed-assets.sh: do not edit */'
    echo '#include "base/asset.h"'
    echo "extern const bl_asset_t ${name}[];"
    echo "extern const int ${name}_count;"
    n=0
    for asset in "$@"; do
        n=$((n + 1))
        echo "static const unsigned char data_${n}[] = {"
        od -An -v -tx1 "${asset#*=}" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
        echo '0x00};'
    done
    echo "const bl_asset_t ${name}[] = {"
    n=0
    for asset in "$@"; do
        n=$((n + 1))
        case $asset in
        *=*) called=${asset%%=*} ;;
        *) called=${asset##*/} ;;
        esac
        sum=$(sha256sum <"${asset#*=}")
        echo "    {\"$called\", data_${n}, sizeof(data_${n}) - 1, \"${sum%% *}\"},"
    done
    echo '};'
    echo "const int ${name}_count = ${n};"
} >"$tmp"
mv "$tmp" "$out"

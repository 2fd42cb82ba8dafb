#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Is the load client strict? Every deliberate fault of the upstream, and of a
# scripted chat server, must be named by the client as what it is; what is only
# cut in odd places must pass.
#
#     bench/selftest.sh [directory of the built programs]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
built=${1:-bench}
python=${PYTHON:-/usr/bin/python3}
exec timeout 120 "$python" "$here/selftest.py" "$built"

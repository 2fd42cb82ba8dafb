# SPDX-License-Identifier: Apache-2.0
# common - what build/run and build/test share: packages, configure, make.
# Sourced by bash. Sets top (the checkout) and out (its _build folder).

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
out=$top/_build
jobs=$(nproc 2>/dev/null || echo 2)
PATH=$PATH:/usr/sbin:/sbin

say() { printf '==> %s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# What a build needs. apache2-bin is the server without a service: nothing is
# started and no port is taken by installing it.
build_packages=(
    apache2-bin apache2-dev autoconf automake gcc libc6-dev
    libcurl4-openssl-dev libjansson-dev libsqlite3-dev libssl-dev libtool libwslay-dev make
    pkg-config
)

missing_packages() {
    local name
    for name in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$name" 2>/dev/null |
            grep -qx installed || printf '%s\n' "$name"
    done
}

# need_packages NAME...: apt-get is asked only when one is missing.
need_packages() {
    local missing=() as_root=()
    if ! command -v dpkg-query >/dev/null; then
        say "not a Debian system: taking these as installed: $*"
        return
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            die "packages are missing, and neither root nor sudo is there to" \
                "install them. As root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing ${#missing[@]} packages: ${missing[*]}"
    if ! apt_install "${missing[@]}"; then
        say "refreshing the package lists"
        "${as_root[@]}" apt-get update -q || die "apt-get update failed"
        apt_install "${missing[@]}" || die "apt-get install failed"
    fi
}

apt_install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends -o Dpkg::Use-Pty=0 "$@" 2>&1 |
        awk '/newly installed/ { all = $3 }
             /^Get:/ { printf "    %s\n", $0; fflush() }
             /^Setting up/ { printf "    [%d/%d] %s\n", ++n, all, $0; fflush() }
             /^[EW]:/ { print; fflush() }'
    return "${PIPESTATUS[0]}"
}

# build_tree NAME CONFIGURE-OPTION...: makes $out/NAME. configure runs only
# when it has not, or with other options; make decides about the rest.
build_tree() {
    local tree=$out/$1 wanted
    shift
    wanted="$top/configure $*"
    mkdir -p "$tree"
    # One at a time: the generated files in the checkout are shared.
    exec 9>"$out/.lock"
    flock 9 || die "cannot lock $out/.lock"
    if [ ! -x "$top/configure" ] || [ ! -f "$top/Makefile.in" ]; then
        say "autoreconf"
        (cd "$top" && autoreconf -i) >"$tree/autoreconf.log" 2>&1 9>&- || {
            cat "$tree/autoreconf.log"
            die "autoreconf failed"
        }
    fi
    if [ ! -f "$tree/config.status" ] || [ ! -f "$tree/Makefile" ] ||
        [ "$(cat "$tree/configured" 2>/dev/null)" != "$wanted" ]; then
        say "configure $*"
        # By a relative name: configure refuses one with a blank in it.
        (cd "$tree" && ../../configure "$@") >"$tree/configure.log" 2>&1 9>&- || {
            tail -n 20 "$tree/configure.log"
            die "configure failed, see $tree/configure.log"
        }
        printf '%s\n' "$wanted" >"$tree/configured"
    fi
    say "make ($tree)"
    make -C "$tree" --no-print-directory -j"$jobs" 9>&- || die "make failed"
    exec 9>&-
}

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# layers - a directory includes itself and what its line names, nothing else.
. "$(dirname "$0")/common.sh"

# layer | layers or single files it may include | libraries
# A library with files behind a colon is for these files only.
table='
base     |                                            | apr jansson:base/json.c,base/json.h
wire     | base stream/event.h                        | apr wslay:wire/ws_codec.c
crypto   | base                                       | apr openssl
shm      | base crypto                                | apr
stream   | base crypto                                | apr
store    | base crypto stream upstream/dialect.h      | apr sqlite jansson
reactor  | base                                       | apr curl epoll
upstream | base wire stream reactor                   | apr jansson curl:upstream/transfer.c
auth     | base crypto store                          | apr
engine   | base wire crypto shm stream store reactor upstream | apr epoll
admin    | base wire crypto shm stream store reactor upstream engine auth | apr jansson
tool     | base crypto stream store upstream/dialect.h | apr jansson
httpd    | base wire crypto shm stream store reactor upstream engine auth admin | apr jansson httpd epoll
'

# The C library and the threads of POSIX: for all.
libc=' assert ctype dirent errno fcntl getopt grp inttypes limits malloc math netdb
poll pthread pwd sched signal stdarg stdatomic stdbool stddef stdint stdio
stdlib string strings termios time unistd '
libc=${libc//$'\n'/ }

library_of() {
    case $1 in
    apr.h | apr_*.h | apu.h | apu_*.h) echo apr ;;
    curl/*) echo curl ;;
    sqlite3.h) echo sqlite ;;
    openssl/*) echo openssl ;;
    jansson.h) echo jansson ;;
    wslay/*) echo wslay ;;
    sys/epoll.h) echo epoll ;;
    sys/*.h | netinet/*.h | arpa/inet.h | net/if.h | linux/*.h) echo libc ;;
    httpd.h | http_*.h | ap_*.h | util_*.h | mpm_common.h | scoreboard.h | unixd.h | mod_*.h)
        echo httpd ;;
    *) case $libc in *" ${1%.h} "*) echo libc ;; *) echo "unknown" ;; esac ;;
    esac
}

row_of() { printf '%s' "$table" | awk -F'|' -v l="$1" '{ gsub(/ /, "", $1) } $1 == l'; }

check_file() {
    local file=$1 layer=${1%%/*} row kind name target may libraries library ok
    row=$(row_of "$layer")
    if [ -z "$row" ]; then
        fault "$file: the directory $layer is not in the table"
        return
    fi
    may=" $layer $(printf '%s' "$row" | cut -d'|' -f2) "
    libraries=$(printf '%s' "$row" | cut -d'|' -f3)
    while read -r kind name; do
        seen
        ok=
        if [ "$kind" = '"' ]; then
            target=$name
            # A header of the same directory may be named without it; the
            # generated config.h is everybody's.
            [[ $name == */* ]] || target=$layer/$name
            [ "$name" = config.h ] && ok=1
            case $may in *" ${target%%/*} "* | *" $target "*) ok=1 ;; esac
            [ -n "$ok" ] || fault "$file includes \"$name\": not a layer below $layer"
            continue
        fi
        library=$(library_of "$name")
        [ "$library" != libc ] || continue
        for entry in $libraries; do
            [ "${entry%%:*}" = "$library" ] || continue
            [[ $entry == *:* ]] || ok=1
            case ",${entry#*:}," in *",$file,"*) ok=1 ;; esac
        done
        [ -n "$ok" ] || fault "$file includes <$name>: $library is not for this file"
    done < <(sed -nE 's/^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">].*/\1 \2/p' \
        "$root/mod_bailian_sse/$file")
}

check() {
    local file
    while read -r file; do
        check_file "${file#"$root/mod_bailian_sse/"}"
    done < <(sources)
}

prepare_copy() { keep_layers base; }

plants() { echo upward_include foreign_library unknown_directory nothing_there; }
upward_include() { echo '#include "store/store.h"' >>mod_bailian_sse/base/buf.c; }
foreign_library() { echo '#include <sqlite3.h>' >>mod_bailian_sse/base/buf.c; }
unknown_directory() {
    mkdir mod_bailian_sse/misc && echo 'int x;' >mod_bailian_sse/misc/x.c
}
nothing_there() { rm -rf mod_bailian_sse && mkdir mod_bailian_sse; }

guard_main "$@"

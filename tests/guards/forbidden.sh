#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# forbidden - calls and settings that do not stand in the sources.
. "$(dirname "$0")/common.sh"

# A PRAGMA takes no parameters: migrate.c sets a number by it.
# Each: name | pattern in a file's code on one line | files it is allowed in
rules='
unbounded copy        | \b(strcpy|strcat|sprintf|vsprintf|stpcpy|gets|strtok|atoi|atol|atof)[ ]*\(                  |
weak random           | \b(rand|srand|random|srandom|drand48)[ ]*\(                                                |
child process (S-53)  | \b(system|popen|fork|vfork|posix_spawnp?|exec[lv]p?e?)[ ]*\(                               |
certificates off      | CURLOPT_(PROXY_)?SSL_VERIFY(PEER|HOST)[ ]*,[ ]*0                                           |
redirects (U09)       | CURLOPT_FOLLOWLOCATION[ ]*,[ ]*[^0 ]                                                       |
curl elsewhere (S-38) | \bcurl_(easy|multi|share|global|slist|url|mime)_[a-z_]+[ ]*\(                              | upstream/transfer reactor/
SQLite elsewhere      | \bsqlite3_[a-z0-9_]+[ ]*\(                                                                 | store/
SQL made by printf    | \bsqlite3_(mprintf|vmprintf|snprintf|exec_printf)[ ]*\(                                    |
SQL made by printf    | printf[ ]*\([^;]*"[ ]*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER)\b[^;]*%       |
SQL made by printf    | printf[ ]*\([^;]*"[ ]*PRAGMA\b[^;]*%                                                         | store/migrate.c
'

# Strings stay, for SQL is in them; a line per statement.
statements_of() { code_of "$1" | grep -v '^[ \t]*#' | tr '\n' ' ' | tr ';' '\n' | sed 's/$/;/'; }

allowed() {
    local place
    for place in $2; do
        [[ $1 != "$place"* ]] || return 0
    done
    return 1
}

# Markup out of text (S-26).
check_pages() {
    local file
    while read -r file; do
        seen
        ! grep -nE '\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write)\b|\beval[ ]*\(|new Function\(' \
            "$file" || fault "${file#"$root/"}: markup or code out of text"
    done < <(find "$root/admin-ui" "$root/chat-ui" "$root/sdk" -name '*.js' \
        -not -path '*/vendor/*' 2>/dev/null)
}

# A checkout may lie in a folder whose name has a blank: the compiler gets each
# path as one word, and configure is called by a relative name, or it refuses.
check_paths() {
    seen 2
    ! grep -nE -- '-D[A-Z_]+=\\"\$\(abs_' "$root/Makefile.am" ||
        fault "Makefile.am: a blank would cut this path"
    ! grep -nE '(&&|^) *"\$top/configure"' "$root/build/common.sh" ||
        fault "build/common.sh: configure refuses a folder with a blank"
}

check() {
    local file short name pattern places found any
    any=$(cut -f2 "$work/rules" | paste -sd'|')
    while read -r file; do
        seen
        statements_of "$file" >"$work/statements"
        grep -qE "$any" "$work/statements" || continue
        short=${file#"$root/mod_bailian_sse/"}
        while IFS=$'\t' read -r name pattern places; do
            allowed "$short" "$places" && continue
            found=$(grep -oE "$pattern" "$work/statements" | head -n 1) || true
            [ -z "$found" ] || fault "$short: $name: ${found:0:60}"
        done <"$work/rules"
    done < <(sources)
    check_pages
    check_paths
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The bars of the table have a space in front, those of a pattern have not.
sed -nE 's/^([^|]+[^| ]) *\| (.*[^ ]) *\| *(.*)$/\1\t\2\t\3/p' <<<"$rules" |
    sed -E 's/ +\t/\t/g' >"$work/rules"

prepare_copy() { keep_layers base reactor; }

plants() {
    echo unbounded_copy weak_random child_process verify_off follows_redirects \
        curl_elsewhere sqlite_elsewhere formatted_sql page_markup \
        unquoted_path absolute_configure
}
planted() { printf 'void planted(void)\n{\n    %s\n}\n' "$1" >>"mod_bailian_sse/$2"; }
unbounded_copy() { planted 'strcpy(a, b);' base/buf.c; }
weak_random() { planted 'x = rand();' base/buf.c; }
child_process() { planted 'system("ls");' base/buf.c; }
verify_off() { planted 'curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);' reactor/reactor.c; }
follows_redirects() { planted 'curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 1L);' reactor/reactor.c; }
curl_elsewhere() { planted 'curl_easy_init();' base/buf.c; }
sqlite_elsewhere() { planted 'sqlite3_open(a, b);' base/buf.c; }
formatted_sql() { planted 'bl_buf_printf(&b, "SELECT a FROM t WHERE n = %%s", n);' base/buf.c; }
page_markup() {
    mkdir -p admin-ui/js && echo 'node.innerHTML = text;' >admin-ui/js/planted.js
}
unquoted_path() { echo 'x = -DPLACE=\"$(abs_srcdir)/x\"' >>Makefile.am; }
absolute_configure() { echo 'cd x && "$top/configure" "$@"' >>build/common.sh; }

guard_main "$@"

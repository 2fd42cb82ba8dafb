#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sentences - what is said to the admin is marked by BL_SAY(), and the marked
# texts are exactly the English ones of base/say_table.h, which has the Chinese.
# docs/sentences.md lists its lines.
. "$(dirname "$0")/common.sh"

literal='"([^"\\]|\\.)*"'

predicate='"(must|is|cannot|would) [a-z]([^"\\]|\\.)*"'
called='(bl_admin_problem|bl_complain|bl_params_refuse|bl_say)\([^;"]*("[^" ]*"[^;"]*)*"[^" ]* [^"]*"'

# A file on one line, neighbouring literals joined.
joined() {
    sed 's/\\$//' "$1" | tr '\n' ' ' | sed -E 's/([^\\])" *"/\1/g'
}

marked() {
    local file
    while read -r file; do
        joined "$file" | grep -oE "BL_SAY\( *$literal" |
            sed -E 's/^BL_SAY\( *//' || true
    done < <(find "$root/mod_bailian_sse" -name '*.c' | sort) | sort -u
}

in_table() {
    joined "$root/mod_bailian_sse/base/say_table.h" | grep -oE "[XF]\( *$literal, *$literal, *$literal *\)" |
        sed -E "s/^[XF]\( *$literal, *//; s/, *$literal *\)\$//" | sort
}

# Literals of one's own where a sentence is expected.
unmarked() {
    local file
    while read -r file; do
        joined "$file" | sed -E "s/BL_SAY\( *$literal *\)/SAID/g" |
            grep -oE "$predicate|$called" |
            sed "s|^|${file#"$root/"}: |" || true
    done < <(cd "$root/mod_bailian_sse" && find "$PWD/store" "$PWD/admin" \
        "$PWD/httpd" "$PWD/crypto/signature.c" -name '*.c' -not -name '*_assets.c' \
        -not -name 'admin_roles.c' -not -name 'directives*' -not -name 'origin.c')
}

codes_in_table() {
    joined "$root/mod_bailian_sse/base/say_table.h" |
        grep -oE "[XF]\( *$literal, *$literal, *$literal *\)" |
        sed -E 's/^[XF]\( *"([^"]*)".*/\1/' | sort
}

codes_in_document() {
    sed -n 's/^| `\([^`]*\)` .*/\1/p' "$root/docs/sentences.md" | sort
}

check() {
    local text
    seen "$(in_table | grep -c . || true)"
    while read -r text; do
        fault "said, but not in base/say_table.h: $text"
    done < <(comm -23 <(marked) <(in_table))
    while read -r text; do
        fault "in base/say_table.h, but nobody says it: $text"
    done < <(comm -13 <(marked) <(in_table))
    while read -r text; do
        fault "not so in docs/sentences.md as in base/say_table.h: $text"
    done < <(comm -3 <(codes_in_table) <(codes_in_document))
    while read -r text; do
        fault "not marked by BL_SAY(): $text"
    done < <(unmarked)
}

plants() { echo line_not_documented said_without_line line_without_use said_without_mark; }
line_not_documented() { sed -i '/^| `url_port`/d' docs/sentences.md; }
said_without_line() { sed -i 's/"must lie in the past"/"must lie in the dark"/' mod_bailian_sse/admin/conversations.c; }
line_without_use() { sed -i 's/"cannot be changed"/"cannot be turned"/' mod_bailian_sse/base/say_table.h; }
said_without_mark() { sed -i 's/BL_SAY("must be 0 or 1")/"must be 0 or 1"/' mod_bailian_sse/admin/conversations.c; }

guard_main "$@"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The links between our Markdown files lead to files and headings that exist.
# shellcheck disable=SC2016 # backquotes that are meant

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

# The anchors that GitHub and GitLab make of a file's headings.
anchors_of() {
    sed -n -E '/^```/,/^```/d; s/^#+ +//p' "$1" | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

n=0
while read -r file; do
    while read -r link; do
        n=$((n + 1))
        to=${link%%#*}
        [[ -n $to ]] && to=$(dirname "$srcdir/$file")/$to || to=$srcdir/$file
        if [[ ! -e $to ]]; then
            fail "$file: ($link) leads nowhere"
        elif [[ $link == *#* ]] && ! anchors_of "$to" | grep -q -x -F "${link#*#}"; then
            fail "$file: ($link): there is no such heading"
        fi
        done < <(sed '/^```/,/^```/d' "$srcdir/$file" | grep -o -E '\]\([^)]+\)' | sed -E 's/^\]\(([^ )]*).*/\1/' |
        grep -v -E '^[a-z]+:')
done < <(sources '*.md')
((n > 3)) || fail "only $n links were found"
passed "$n links"

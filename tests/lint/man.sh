#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The man pages ($MAN_PAGES): mandoc finds nothing to say against them, each has the sections that its readers look for,
# fits into 80 columns, and refers to pages that exist; and none is left out of what gets installed.

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

need mandoc mandoc

# Not its business: what else this machine has installed (which it also says on stderr, in the middle of a line of
# stdout if both are one pipe), and how wide we write.
mandoc_says() {
    mandoc -T lint -W style "$1" 2>/dev/null |
        grep -v -E 'referenced manual not found|text line longer than 80|trailing delimiter: Sh'
}

check_sections() {
    local file=$1 section=$2 heading headings='NAME|DESCRIPTION|SEE ALSO'
    case $section in
        1) headings="$headings|SYNOPSIS|OPTIONS|EXIT STATUS|EXAMPLES" ;;
        5) headings="$headings|EXAMPLES" ;;
        8) headings="$headings|SYNOPSIS|OPTIONS|FILES|EXIT STATUS|EXAMPLES" ;;
    esac
    while read -r heading; do
        grep -q -x "\.Sh $heading" "$file" || fail "$file has no section $heading"
    done < <(tr '|' '\n' <<<"$headings")
}

# Our pages that are named in it: "NAME(SECTION)", one a line.
ours_in() { grep -o -E '^\.Xr (vmfreq|org\.vmfreq)[^ ]* [0-9]' "$1" | sed -E 's/^.Xr (.*) (.)$/\1.\2/' | sort -u; }

pages=$(for page in $MAN_PAGES; do basename "$page"; done)
for page in $pages; do
    if ! file=$(man_page "$page"); then
        fail "$page is to be installed, but isn't there"
        continue
    fi
    says=$(mandoc_says "$file")
    [[ -z $says ]] || fail "mandoc -T lint -W style: $says"
    check_sections "$file" "${page##*.}"
    swallowed=$(grep -n -E '^\.(It|Sh|Ss) (An|At|Do|In|No) [^=]*$' "$file" || true)
    [[ -z $swallowed ]] || fail "$file: the first word is a macro of mdoc and wouldn't be seen, write \\&: $swallowed"
    wide=$(mandoc -T ascii "$file" | sed 's/.\x08//g' | awk 'length($0) > 80')
    [[ -z $wide ]] || fail "$file is wider than 80 columns: $wide"
    for other in $(ours_in "$file"); do
        grep -q -x -F "$other" <<<"$pages" || fail "$file refers to $other, which doesn't exist"
    done
done
for file in "$srcdir"/man/*.[1-9]; do
    grep -q -x -F "${file##*/}" <<<"$pages" || fail "$file is not in Makefile.am: it would not be installed"
done
# Whatever else names a page of ours: a unit's Documentation=, a README, a --help.
mapfile -t files < <(sources '*.md' '*.in' '*.c' 'completions/*' | grep -v '^tests/')
while IFS=: read -r file page; do
    grep -q -x -F "$(sed -E 's/\((.)\)$/.\1/' <<<"$page")" <<<"$pages" || fail "$file names $page, which doesn't exist"
done < <(cd "$srcdir" && grep -o -E '\b(vmfreq[-a-z.]*|org\.vmfreq\.[A-Za-z0-9]+)\([1-8]\)' "${files[@]}" | sort -u)

# vmfreq-protocol(7) is made of PROTOCOL.md: no word may have got lost.
words() { tr -c '[:alnum:]_' '\n' | grep -E '...' | tr '[:upper:]' '[:lower:]' | sort -u; }
lost=$(comm -23 <(words <"$srcdir/proto/PROTOCOL.md") \
    <(mandoc -T ascii "$(man_page vmfreq-protocol.7)" | sed 's/.\x08//g' | words))
[[ -z $lost ]] || fail "vmfreq-protocol(7) lacks words of PROTOCOL.md: $(xargs <<<"$lost")"
passed "$(wc -w <<<"$pages") man pages"

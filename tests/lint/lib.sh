# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the lints share. `make check` runs them in the build directory and says in $srcdir where the sources are.

set -u
export LC_ALL=C.UTF-8
srcdir=${srcdir:-.}
FAILURES=0

skip() {
    echo "SKIP: $*"
    exit 77
}

# need TOOL PACKAGE
need() {
    [[ -n $(command -v "$1") ]] || skip "$1 is not installed (Debian's package $2)"
}

fail() {
    echo "FAIL: $*"
    FAILURES=$((FAILURES + 1))
}

# passed WORDS...: the end of a lint, and what it has looked at
passed() {
    ((FAILURES == 0)) || exit 1
    echo "PASS: $*"
}

# same WHAT LEFT-NAME LEFT RIGHT-NAME RIGHT: two lists, an entry a line, say the same
same() {
    local entry
    while read -r entry; do
        fail "$1: '$entry' is in $2, but not in $4"
    done < <(comm -23 <(sort -u <<<"$3") <(sort -u <<<"$5") | grep .)
    while read -r entry; do
        fail "$1: '$entry' is in $4, but not in $2"
    done < <(comm -13 <(sort -u <<<"$3") <(sort -u <<<"$5") | grep .)
}

# man_page NAME.SECTION: its source, which may have been made in the build directory
man_page() {
    local dir
    for dir in . "$srcdir"; do
        if [[ -f $dir/man/$1 ]]; then
            echo "$dir/man/$1"
            return
        fi
    done
    return 1
}

# man_section FILE HEADING: the lines of that section
man_section() { awk -v heading=".Sh $2" '/^\.Sh / { inside = $0 == heading } inside' "$1"; }

# The sources: what git knows; of a tarball, everything but what was built in it.
sources() {
    if [[ -e $srcdir/.git ]]; then
        git -c safe.directory='*' -C "$srcdir" ls-files -co --exclude-standard -- "$@" | while read -r file; do
            [[ ! -f $srcdir/$file ]] || echo "$file"
        done
    else
        local pattern
        for pattern in "$@"; do
            (cd "$srcdir" && find . -type f -path "./$pattern" | sed 's,^\./,,')
        done | sort -u
    fi
}

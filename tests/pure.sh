#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Decisions are pure (ARCHITECTURE.md): the objects of $PURE_SOURCES may leave no symbols undefined but
# those of tests/pure-symbols.txt and each other's. `make check` runs it in the build directory.
set -u
export LC_ALL=C

srcdir=${srcdir:-.} builddir=${builddir:-.}
: "${PURE_SOURCES:?names the pure sources: run me by make check}"
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# The object of a source: automake puts the library's name before it where that has flags of its own.
object_of() {
	local source=$1 dir base candidate
	dir=${source%/*} base=$(basename "$source" .c)
	for candidate in "$builddir/$dir/$base.o" "$builddir/$dir/lib"*"_a-$base.o"; do
		[ -f "$candidate" ] && echo "$candidate" && return
	done
	return 1
}

# _chk variants are those of -D_FORTIFY_SOURCE.
undefined_of() {
	nm --undefined-only --format=posix "$@" | awk 'NF >= 2 { print $1 }' |
		sed -E 's/^__(.*)_chk$/\1/' | sort -u
}

defined_of() {
	nm --defined-only --extern-only --format=posix "$@" | awk 'NF >= 2 { print $1 }' | sort -u
}

# The symbols of objects that are in neither list. Names with * are prefixes.
impure_of() {
	undefined_of "$@" | comm -23 - "$scratch/defined" | grep -v -x -E -f "$scratch/allowed"
}

objects=()
for source in $PURE_SOURCES; do
	case $source in *.c) ;; *) continue ;; esac
	if ! object=$(object_of "$source"); then
		echo "FAIL: $source has no object below $builddir"
		exit 1
	fi
	objects+=("$object")
done
if [ ${#objects[@]} -eq 0 ]; then
	echo "FAIL: no pure sources were named"
	exit 1
fi

grep -v -E '^(#|$)' "$srcdir/tests/pure-symbols.txt" | sed 's/\*$/.*/' > "$scratch/allowed"
defined_of "${objects[@]}" > "$scratch/defined"

# Would it notice? A door, which opens, reads and writes files, must be refused for just that.
if ! door=$(object_of common/rootfs.c); then
	echo "FAIL: common/rootfs.c has no object below $builddir"
	exit 1
fi
for call in openat pread write; do
	if ! impure_of "$door" | grep -q -x "$call"; then
		echo "FAIL: $door calls $call(), but isn't refused for it"
		exit 1
	fi
done

failed=0
for object in "${objects[@]}"; do
	impure=$(impure_of "$object" | tr '\n' ' ')
	if [ -n "$impure" ]; then
		echo "FAIL: $object calls $impure"
		failed=1
	fi
done
[ $failed -eq 0 ] && echo "PASS: ${#objects[@]} objects are pure"
exit $failed

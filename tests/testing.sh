#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Without --enable-testing, vmfreq-hostd has nothing of what is for tests alone: no symbol, no word. With it, that is found,
# in the same ways, and no other program has any. `make check` runs it in the build directory.
set -u
export LC_ALL=C

builddir=$(cd "${builddir:-.}" && pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0
enabled=${ENABLE_TESTING:?says how this was configured: run me by make check}

fail() {
	echo "FAIL: $*"
	failed=1
}

# has PROGRAM: prints what of it is there. Debug information has paths of the sources in it, which are anybody's to choose.
has() {
	objcopy --strip-all "$1" "$scratch/stripped" || exit 1
	! grep -q -a -F -e TESTING "$scratch/stripped" || echo "the word TESTING"
	nm --format=posix "$1" 2> /dev/null | awk '$2 ~ /^[A-Za-z]$/ && $1 ~ /testing/ { print "symbols" }' | uniq
}

for name in vmfreq-hostd vmfreq-guestd vmfreqctl; do
	found=$(has "$builddir/$name")
	if [ $name = vmfreq-hostd ] && [ "$enabled" = yes ]; then
		[ "$(grep -c . <<< "$found")" -eq 1 ] || fail "of what $name should have there is: $found"
	elif [ -n "$found" ]; then
		fail "$name has $found"
	fi
done

hostd=$builddir/vmfreq-hostd
"$hostd" --version > "$scratch/out"
if [ "$enabled" = yes ]; then
	grep -q ' TESTING BUILD$' "$scratch/out" || fail "--version says $(cat "$scratch/out")"
else
	! grep -q -i testing "$scratch/out" || fail "--version says $(cat "$scratch/out")"
fi

[ $failed -eq 0 ] && echo "PASS: configured with --enable-testing: $enabled"
exit $failed

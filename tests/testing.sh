#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Without --enable-testing, vmfreq-hostd has nothing of the testing listener: no symbol, no word, no option. With it, all of
# that is found, in the same ways, and no other program has any. `make check` runs it in the build directory.
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
	local word
	objcopy --strip-all "$1" "$scratch/stripped" || return
	for word in TESTING testing-listen testing_listener VMFQTEST; do
		! grep -q -a -F -e "$word" "$scratch/stripped" || echo "the word $word"
	done
	nm --format=posix "$1" > "$scratch/symbols" 2> /dev/null || return
	awk '$2 ~ /^[A-Za-z]$/ && $1 ~ /testing/ { print "symbols" }' "$scratch/symbols" | uniq
}

for name in vmfreq-hostd vmfreq-guestd vmfreqctl; do
	found=$(has "$builddir/$name") || fail "$name can't be looked into"
	if [ $name = vmfreq-hostd ] && [ "$enabled" = yes ]; then
		[ "$(grep -c . <<< "$found")" -eq 5 ] || fail "of what $name should have there is: $found"
	elif [ -n "$found" ]; then
		fail "$name has $found"
	fi
done

hostd=$builddir/vmfreq-hostd
"$hostd" --testing-listen="$scratch/listen" --version > "$scratch/out" 2>&1
code=$?
if [ "$enabled" = yes ]; then
	[ $code -eq 0 ] || fail "--testing-listen=PATH ends with $code"
	grep -q ' TESTING BUILD$' "$scratch/out" || fail "--version says $(cat "$scratch/out")"
	"$hostd" --help | grep -q 'TESTING BUILD.*--testing-listen=' || fail "--help doesn't say what build this is"
else
	[ $code -eq 64 ] || fail "--testing-listen=PATH ends with $code, not as an unknown option does"
	"$hostd" --nonsense > "$scratch/unknown" 2>&1
	sed 's,testing-listen=.*'"'"',nonsense'"'"',' "$scratch/out" | cmp -s - "$scratch/unknown" ||
		fail "--testing-listen=PATH isn't told as any unknown option: $(cat "$scratch/out")"
	! "$hostd" --version | grep -q -i testing || fail "--version says $("$hostd" --version)"
	! "$hostd" --help | grep -q -i testing || fail "--help speaks of testing"
fi

[ $failed -eq 0 ] && echo "PASS: configured with --enable-testing: $enabled"
exit $failed

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# All scenarios with 3 seeds. Bounds that vmfreq (the arm "with") falls short of today are in tests/sim/short-of:
# one more that doesn't hold fails, and so does one of that list that holds.
set -u
export LC_ALL=C

arms=native,without,patches,with
short_of=${srcdir:-.}/tests/sim/short-of
sim=${builddir:-.}/tests/sim/vmfreq-sim
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# scenario BOUND: one that is soon over, with that bound
scenario() {
	printf '%s\n' 'name short' 'about a test' 'length 1s' 'host separate' 'vm a vcpus 2 pins 0/1' \
		'load x on a periodic work 50% period 16ms hop 60ms..240ms' "bound $1" >"$scratch/short.sim"
}

# must STATUS TEXT ARG...: it exits with that status and says that text
must() {
	local status=$1 text=$2
	shift 2
	"$sim" "$@" >"$scratch/says" 2>&1
	local is=$?
	if [ $is -ne "$status" ] || ! grep -q -e "$text" "$scratch/says"; then
		echo "FAIL: vmfreq-sim $*: exit status $is, not $status, or it doesn't say: $text"
		cat "$scratch/says"
		exit 1
	fi
}

# broken TEXT: the bounds that don't hold, of what vmfreq-sim says, as short-of has them
broken() {
	sed -n '/^- /{s/^- //;s/^\(.*\) is [^ ]*, must be /\1 /;p}' "$1" | sort
}

# listed LIST: its bounds, without the reasons
listed() {
	sed -E -e '/^(#|$)/d' -e 's/ +\| .*//' "$1" | sort
}

# Would it notice? A bound that can't hold, a run that can't be made, a line that means nothing.
scenario 'gap >= 5%'
must 0 '| short |.*| ok |' --seeds 1-3 --arm native,without "$scratch/short.sim"
scenario 'gap >= 9000%'
must 1 'vmfreq-sim --seed [123] --arm without .*short.sim --trace' --seeds 1-3 --arm native,without "$scratch/short.sim"
must 1 'short: gap of x is .*, must be >= 9000.0%' --seeds 1-3 --arm native,without "$scratch/short.sim"
must 0 'cpu0  600 MHz' --seed 2 --arm without --trace "$scratch/short.sim"
must 0 'short  *a test' --list "$scratch/short.sim"
must 0 '| x | pinned | 1 |' --seed 1 --arm pinned --details "$scratch/short.sim"
must 2 "there is no arm 'help'" --arm help "$scratch/short.sim"
must 2 'one scenario, --seed N and --arm NAME' --trace "$scratch/short.sim"
must 2 "floor_hol: there is no such key .* 'floor_hold'" --set floor_hol=1ms "$scratch/short.sim"
must 2 "floor_hold: '1' is not a time" --set floor_hold=1 "$scratch/short.sim"
must 2 "floor_step doesn't go with floor_max" --set floor_max=1% "$scratch/short.sim"
must 0 '^floor_hold=7ms$' --set floor_hold=7ms --settings
scenario 'gap = 1'
must 2 'short.sim:7: ' "$scratch/short.sim"

# What is set is vmfreq's alone.
scenario 'gap >= 5%'
for arm in without with; do
	"$sim" --seed 1 --arm $arm --csv "$scratch/$arm" "$scratch/short.sim" >/dev/null
	"$sim" --seed 1 --arm $arm --csv "$scratch/$arm.set" --set floor_max=0% "$scratch/short.sim" >/dev/null
done
if ! cmp -s "$scratch/without" "$scratch/without.set" || cmp -s "$scratch/with" "$scratch/with.set"; then
	echo "FAIL: --set changes another arm's figures, or not vmfreq's"
	exit 1
fi

# differs SAYS LIST: says where the bounds that don't hold aren't those of the list; whether there is such
differs() {
	local bound status=1
	while read -r bound; do
		echo "FAIL: $bound: it doesn't hold, and isn't in tests/sim/short-of"
		status=0
	done < <(comm -23 <(broken "$1") <(listed "$2"))
	while read -r bound; do
		echo "FAIL: $bound: it holds (or there is no such bound), and is in tests/sim/short-of"
		status=0
	done < <(comm -13 <(broken "$1") <(listed "$2"))
	return $status
}

# Would it notice?
scenario 'gap >= 9000%'
"$sim" --seeds 1-3 --arm native,without "$scratch/short.sim" >"$scratch/broken"
scenario 'gap >= 5%'
"$sim" --seeds 1-3 --arm native,without "$scratch/short.sim" >"$scratch/holds"
echo '# a comment' >"$scratch/none"
echo 'short: gap of x >= 9000.0% | a reason' >"$scratch/one"
if differs "$scratch/holds" "$scratch/none" || differs "$scratch/broken" "$scratch/one"; then
	echo 'FAIL: what is as it is listed was taken for a difference'
	exit 1
fi
if ! differs "$scratch/holds" "$scratch/one" >"$scratch/says" || ! grep -q 'x >= 9000.0%: it holds' "$scratch/says" ||
	! differs "$scratch/broken" "$scratch/none" >"$scratch/says" || ! grep -q "9000.0%: it doesn't" "$scratch/says"; then
	echo 'FAIL: a difference from the list was missed'
	exit 1
fi

if grep -n -v -E '^(#|$)|^[^ ]+: [^|]* (>=|<=) [^ ]+ \| .+' "$short_of"; then
	echo "FAIL: these lines of tests/sim/short-of aren't SCENARIO: BOUND | REASON"
	exit 1
fi
"$sim" --seeds 1-3 --arm "$arms" >"$scratch/table"
status=$?
cat "$scratch/table"
[ $status -le 1 ] || exit $status
differs "$scratch/table" "$short_of" && exit 1
echo "PASS: but for $(listed "$short_of" | wc -l) bounds, which tests/sim/short-of names"

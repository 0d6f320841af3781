#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# All scenarios with 3 seeds. What they say of vmfreq (the arm "with") fails nothing yet: name it in $arms, and it does.
set -u

arms=native,without,patches
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
scenario 'gap = 1'
must 2 'short.sim:7: ' "$scratch/short.sim"

"$sim" --seeds 1-3 --arm "$arms"

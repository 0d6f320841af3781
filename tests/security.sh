#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units grant what SECURITY.md says, no more and no less; the lab takes away each right in turn
# (tests/lab/rights); and systemd-analyze finds them tight enough. `make check` runs it in the build
# directory.
set -u
export LC_ALL=C

srcdir=${srcdir:-.} builddir=${builddir:-.}
table=$srcdir/tests/lab/rights
document=$srcdir/SECURITY.md
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

unit_of() { echo "$builddir/systemd/vmfreq-$1.service"; }

# setting UNIT NAME: the words of a setting's lines, one a line
setting() { sed -n "s/^$2=//p" "$(unit_of "$1")" | tr -s ' ' '\n'; }

# What a unit grants, by the names that the table has for it, sorted.
granted() {
	local name
	{
		setting "$1" CapabilityBoundingSet
		setting "$1" RestrictAddressFamilies
		# Groups but @system-service, which is what every service gets, and calls beside it.
		sed -n 's/^SystemCallFilter=\([^~]\)/\1/p' "$(unit_of "$1")" | tr -s ' ' '\n' |
			grep -v '^@system-service$'
		setting "$1" ReadWritePaths | sed 's,^-/sys/devices/system/cpu/cpufreq$,cpufreq,'
		for name in RuntimeDirectory Nice AmbientCapabilities DeviceAllow SupplementaryGroups; do
			[ -z "$(setting "$1" $name)" ] || echo "$name"
		done
		for name in ProtectControlGroups ProtectProc ProcSubset PrivateUsers PrivateNetwork \
			ProtectKernelTunables ProtectHome ProtectClock ProtectHostname ProtectKernelLogs \
			ProtectKernelModules PrivateDevices PrivateMounts PrivateTmp ProtectSystem \
			LockPersonality MemoryDenyWriteExecute NoNewPrivileges RestrictNamespaces \
			RestrictRealtime RestrictSUIDSGID SystemCallArchitectures IPAddressDeny \
			KeyringMode UMask User; do
			[ -n "$(setting "$1" $name)" ] || echo "-$name"
		done
	} | sort
}

# The daemon's table in SECURITY.md, as "right check".
documented() {
	awk -F ' *[|] *' -v heading="### vmfreq-$1.service" '
		/^#/ { here = $0 == heading }
		here && NF == 5 && $2 != "Right" && $2 !~ /^-+$/ { print $2, $4 }' "$document" |
		sed 's/^not /-/' | sort
}

tabled() { awk -v daemon="$1" '$1 == daemon { print $2, $3 }' "$table" | sort; }

for daemon in hostd guestd; do
	granted $daemon > "$scratch/granted"
	tabled $daemon > "$scratch/tabled"
	documented $daemon > "$scratch/documented"
	cut -d' ' -f1 "$scratch/tabled" | diff "$scratch/granted" - > "$scratch/diff" ||
		fail "the unit of $daemon (<) and tests/lab/rights (>):" "$(cat "$scratch/diff")"
	diff "$scratch/documented" "$scratch/tabled" > "$scratch/diff" ||
		fail "SECURITY.md (<) and tests/lab/rights (>) for $daemon:" "$(cat "$scratch/diff")"
	[ -s "$scratch/tabled" ] || fail "tests/lab/rights has no line of $daemon"
done

# Each check of the table is one of the scenarios'.
awk '/^(hostd|guestd)/ { print $3 }' "$table" | sort -u > "$scratch/checks"
while read -r check; do
	grep -q "^$check()" "$srcdir"/tests/lab/scenarios/rights-*.sh ||
		fail "tests/lab/rights names a check that no scenario has: $check"
done < "$scratch/checks"

analyze() { systemd-analyze security --offline=true --no-pager "$@"; }

# Each setting that it marks has its words in SECURITY.md.
marked() {
	analyze --json=short "$(unit_of "$1")" 2> /dev/null | tr '{' '\n' |
		sed -n 's/^"set":false,"name":"\([^"=]*\)=.*/\1/p' | sort -u
}

# The figure is a tenth of what --threshold takes.
if ! analyze --threshold=100 "$(unit_of hostd)" > /dev/null 2>&1; then
	[ $failed -eq 0 ] && echo "SKIP: systemd-analyze is missing or can't do this (Debian: systemd, 252)"
	[ $failed -eq 0 ] && exit 77
	exit 1
fi
for limit in hostd:25 guestd:20; do
	daemon=${limit%:*}
	analyze --threshold="${limit#*:}" "$(unit_of "$daemon")" > "$scratch/analysis" 2>&1 ||
		fail "systemd-analyze finds vmfreq-$daemon.service too open:" "$(cat "$scratch/analysis")"
	grep 'Overall' "$scratch/analysis"
	marks=$(marked "$daemon")
	[ -n "$marks" ] || fail "systemd-analyze marks nothing in vmfreq-$daemon.service: is its output another now?"
	for name in $marks; do
		case $name in
		CapabilityBoundingSet | RestrictAddressFamilies | SystemCallFilter) continue ;; # compared above
		esac
		grep -q "\b$name\b" "$document" || fail "SECURITY.md has no word about $name ($daemon)"
	done
done

[ $failed -eq 0 ] && echo "PASS: the rights are as SECURITY.md says"
exit $failed

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units and the udev rule are well-formed, as systemd's own tools say. `make check` runs it in the
# build directory.
set -u
export LC_ALL=C

srcdir=$(cd "${srcdir:-.}" && pwd) builddir=$(cd "${builddir:-.}" && pwd)
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0

# With the programs that were built, since none need be installed. Nor need libvirt.
units=()
for unit in "$builddir"/systemd/*.service "$builddir"/systemd/*.socket; do
	if grep -n '@[a-z]*@' "$unit" | grep -v 'modprobe@'; then
		echo "FAIL: $unit has a placeholder left"
		failed=1
	fi
	sed -E "s,=[^ =]*/(vmfreq-(guestd|hostd))\b,=$builddir/\1," "$unit" \
		> "$scratch/$(basename "$unit")"
	units+=("$scratch/$(basename "$unit")")
done

if ! command -v systemd-analyze > /dev/null; then
	echo "SKIP: there is no systemd-analyze (Debian: systemd)"
	exit 77
fi
# What it says of others' units is not ours.
if ! SYSTEMD_UNIT_PATH="$scratch:" systemd-analyze verify --man=no --recursive-errors=no \
	"${units[@]}" > "$scratch/verify" 2>&1 || grep -q vmfreq "$scratch/verify"; then
	echo "FAIL: systemd-analyze verify:"
	cat "$scratch/verify"
	failed=1
fi

rules=$srcdir/systemd/60-vmfreq.rules
if udevadm verify --help > /dev/null 2>&1; then
	udevadm verify --no-style "$rules" > "$scratch/udev" 2>&1 ||
		udevadm verify "$rules" > "$scratch/udev" 2>&1 || {
		echo "FAIL: udevadm verify:"
		cat "$scratch/udev"
		failed=1
	}
else
	echo "(udevadm verify came with systemd 254: the rule isn't checked here)"
fi

[ $failed -eq 0 ] && echo "PASS: ${#units[@]} units"
exit $failed

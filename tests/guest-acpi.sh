#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The table that vmfreqctl guest-acpi writes says the same as the one that iasl makes of the lab's ASL
# (tests/lab/ssdt.sh, to which acpi-cpufreq binds), also with other frequencies in it: their
# disassemblies are equal. `make check` runs it in the build directory.

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

need iasl acpica-tools

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# reference CPUS MHZ...: the lab's ASL with these frequencies, compiled
reference() {
    local cpus=$1
    shift
    sed "s/^speeds_mhz=.*/speeds_mhz=($*)/" "$srcdir/tests/lab/ssdt.sh" | bash -s "$cpus" >"$scratch/reference.asl"
    iasl -p "$scratch/reference" "$scratch/reference.asl" >"$scratch/iasl" 2>&1 || fail "iasl: $(<"$scratch/iasl")"
}

# disassembly FILE: without the comment on top, which names the file and who made it
disassembly() {
    rm -f "${1%.aml}.dsl"
    iasl -d "$1" >"$scratch/iasl" 2>&1 || fail "iasl -d: $(<"$scratch/iasl")"
    if grep -i -E '(warning|error).*checksum|checksum.*(warning|error|incorrect)' "$scratch/iasl" >&2; then
        fail "iasl says that $1 has a wrong checksum"
    fi
    sed '1,/^ \*\/$/d' "${1%.aml}.dsl"
}

# compare CPUS MHZ...: the highest first
compare() {
    local mhz="${*:2}" wanted got
    reference "$@"
    wanted=$(disassembly "$scratch/reference.aml")
    [[ $(grep -c 'Name (_PSS' <<<"$wanted") -eq $1 ]] || fail "$*: the reference has not $1 CPUs"
    ./vmfreqctl guest-acpi --cpus="$1" --frequencies="${mhz// /MHz,}MHz" --output="$scratch/ours.aml" \
        >"$scratch/out" 2>&1 || fail "$*: vmfreqctl ended with $?: $(<"$scratch/out")"
    got=$(disassembly "$scratch/ours.aml")
    [[ $got == "$wanted" ]] || fail "$*: $(diff <(echo "$wanted") <(echo "$got") | head -n 20)"
    n=$((n + 1))
}

n=0
compare 1 3000 2400 1800 1200 600
compare 2 3000 2400 1800 1200 600
compare 4 3000 600
compare 17 100000 65536 65535 4096 256 255 2 1
compare 3 3200 3000 2800 2600 2400 2200 2000 1800 1600 1400 1200 1000 800 600 400 200
compare 64 3000 2400 1800 1200 600
compare 300 2000 1000

# Would it notice? Another frequency must make a difference.
reference 1 3000 600
wanted=$(disassembly "$scratch/reference.aml")
./vmfreqctl guest-acpi --cpus=1 --frequencies=3GHz,601MHz >"$scratch/ours.aml" || fail "vmfreqctl ended with $?"
[[ $(disassembly "$scratch/ours.aml") != "$wanted" ]] || fail "601 MHz is taken for 600 MHz"
passed "$n tables are disassembled as those of iasl"

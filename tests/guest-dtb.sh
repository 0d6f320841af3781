#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vmfreqctl guest-dtb with a device tree such as QEMU dumps (tests/data/guest.dts), compiled and read back by dtc, whose
# own checks find nothing wrong with the result. `make check` runs it in the build directory.

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

need dtc device-tree-compiler
need fdtget device-tree-compiler

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
old=$scratch/old.dtb new=$scratch/new.dtb

dtc -q -I dts -O dtb -o "$old" "$srcdir/tests/data/guest.dts" || fail "dtc can't compile guest.dts"
cp "$old" "$scratch/kept.dtb"

# guest_dtb CODE PATTERN OPTION...: it ends so and says that
guest_dtb() {
    local code=$1 pattern=$2 got=0
    shift 2
    ./vmfreqctl guest-dtb "$@" >"$scratch/out" 2>&1 || got=$?
    [[ $got -ne 69 || $code -eq 69 ]] || skip "vmfreqctl is built without libfdt (Debian's package libfdt-dev)"
    [[ $got -eq $code ]] || fail "'$*' ended with $got, not with $code: $(<"$scratch/out")"
    grep -q -e "$pattern" "$scratch/out" || fail "'$*' doesn't say '$pattern': $(<"$scratch/out")"
}

# has PATH PROPERTY VALUE
has() {
    local value
    value=$(fdtget "$new" "$1" "$2" 2>&1)
    [[ $value == "$3" ]] || fail "$1 $2 is '$value', not '$3'"
}

# table_of CPU, clock_of CPU: the paths of what it refers to
referred() {
    local phandle node
    phandle=$(fdtget "$new" "/cpus/cpu@$1" "$2")
    for node in $(fdtget -l "$new" /); do
        if [[ $(fdtget "$new" "/$node" phandle 2>/dev/null) == "$phandle" ]]; then
            echo "/$node"
            return
        fi
    done
    fail "/cpus/cpu@$1 $2 refers to $phandle, which isn't there"
}
table_of() { referred "$1" operating-points-v2; }
clock_of() { referred "$1" clocks; }

guest_dtb 0 "<dtb>$new</dtb>" --input="$old" --output="$new" --frequencies=1.8GHz,600MHz,1GHz
cmp "$old" "$scratch/kept.dtb" || fail "the input was changed"
for cpu in 0 1 2 3; do
    table=$(table_of $cpu) clock=$(clock_of $cpu)
    [[ $(fdtget -l "$new" "$table" | xargs) == "opp-600000000 opp-1000000000 opp-1800000000" ]] ||
        fail "$table has $(fdtget -l "$new" "$table" | xargs)"
    has "$table" compatible operating-points-v2
    has "$table/opp-1800000000" opp-hz "0 1800000000"
    has "$table/opp-1800000000" opp-microvolt 1100000
    has "$table/opp-600000000" opp-microvolt 700000
    has "$clock" compatible fixed-clock
    has "$clock" clock-frequency 1800000000
done
[[ $(for cpu in 0 1 2 3; do table_of $cpu; clock_of $cpu; done | sort -u | wc -l) -eq 8 ]] ||
    fail "not each CPU has a table and a clock of its own"

# dtc's checks: what is new is put together as the bindings say.
says=$(dtc -I dtb -O dtb -o /dev/null "$new" 2>&1)
[[ $says == "$(dtc -I dtb -O dtb -o /dev/null "$old" 2>&1)" ]] || fail "dtc: $says"
# Without what was added it is what it was.
added='/^\t(opp-table|clock)-cpu[0-9]+ \{/,/^\t\};/d; /^\t\tcpu@/,/^\t\t\};/{ /\t(clocks|operating-points-v2) = /d; }'
diff <(dtc -q -s -I dtb -O dts "$old") <(dtc -q -s -I dtb -O dts "$new" | sed -E "$added" | cat -s) ||
    fail "more was changed than was to be added"

guest_dtb 0 "4 CPUs with 2 frequencies" --input="$old" --output="$new" --frequencies=600MHz,1GHz --clusters=0-1:2-3
[[ $(table_of 0) == "$(table_of 1)" && $(clock_of 2) == "$(clock_of 3)" && $(table_of 1) != "$(table_of 2)" ]] ||
    fail "--clusters=0-1:2-3 has made others"
fdtget "$new" "$(table_of 0)" opp-shared >/dev/null || fail "the table of a cluster isn't opp-shared"

# Refused, and nothing is written: what was there stays.
echo kept >"$new"
guest_dtb 64 'input itself' --input="$old" --output="$scratch/../${scratch##*/}/old.dtb" --frequencies=600MHz,1GHz
guest_dtb 64 '4.294967GHz' --input="$old" --output="$new" --frequencies=600MHz,5GHz
guest_dtb 1 'names CPU 4' --input="$old" --output="$new" --frequencies=600MHz,1GHz --clusters=0-4
head -c 500 "$old" >"$scratch/part.dtb"
guest_dtb 1 'part.dtb: it is no device tree blob, or a damaged one' --input="$scratch/part.dtb" --output="$new" \
    --frequencies=600MHz,1GHz
guest_dtb 1 'No such file' --input="$scratch/none.dtb" --output="$new" --frequencies=600MHz,1GHz
head -c 3000000 /dev/zero >"$scratch/large.dtb"
guest_dtb 1 'more than 2 MiB' --input="$scratch/large.dtb" --output="$new" --frequencies=600MHz,1GHz
[[ $(<"$new") == kept ]] || fail "a run that failed has written its output"
guest_dtb 0 '' --input="$old" --output="$new" --frequencies=600MHz,1GHz
guest_dtb 1 'CPU 0 already has operating-points-v2' --input="$new" --output="$scratch/twice.dtb" --frequencies=600MHz,1GHz
cmp "$old" "$scratch/kept.dtb" || fail "the input was changed"
passed "a device tree got operating points, and others were refused"

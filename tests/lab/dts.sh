#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes what makes of QEMU's device tree one of an arm64 machine with operating points and an energy model, so that the stock
# cpufreq-dt binds: `dts.sh SHAPE`, to be appended to the tree as source (dtc). The bindings are Linux's: opp/opp-v2.yaml,
# clock/fixed-clock.yaml, arm/cpus.yaml. A clock of an emulated CPU can't be slowed down: setting a frequency changes what the
# kernel believes, which is all that a governor, its scheduler and vmfreq look at.
#
# CPUs 0 to 3 are of the shape:
#   separate   four equal ones, a frequency domain each
#   shared     four equal ones, one frequency domain
#   biglittle  0 and 1 have a capacity of 300, 2 and 3 of 1024; a frequency domain for each two
# CPUs 4 and 5 are for what isn't measured. They have one frequency, but have it as the others have theirs: EAS stays off where a
# CPU has no cpufreq or no energy model.

set -eu

shape=${1:?usage: dts.sh separate|shared|biglittle}
latency_ns=10000

# opp MHZ MICROVOLT
opp() {
    printf '\t\topp-%d000000 {\n' "$1"
    printf '\t\t\topp-hz = /bits/ 64 <%d000000>;\n\t\t\topp-microvolt = <%d>;\n' "$1" "$2"
    printf '\t\t\tclock-latency-ns = <%d>;\n\t\t};\n' "$latency_ns"
}

# domain NAME "CPU..." DMIPS COEFFICIENT "MHZ..." LEAST-MICROVOLT MOST-MICROVOLT: the voltage rises with the frequency. DMIPS is
# capacity-dmips-mhz, the work of a MHz; power is COEFFICIENT x MHz x V x V, in microwatts.
domain() {
    local name=$1 cpus=$2 dmips=$3 coefficient=$4 low=$6 high=$7 mhz least most cpu
    local -a speeds
    read -r -a speeds <<<"$5"
    least=${speeds[0]} most=${speeds[-1]}
    printf '/ {\n\tlab_clock_%s: lab-clock-%s {\n' "$name" "$name"
    printf '\t\tcompatible = "fixed-clock";\n\t\t#clock-cells = <0>;\n\t\tclock-frequency = <%d000000>;\n\t};\n' "$most"
    printf '\tlab_opps_%s: lab-opp-table-%s {\n' "$name" "$name"
    printf '\t\tcompatible = "operating-points-v2";\n\t\topp-shared;\n'
    for mhz in "${speeds[@]}"; do
        if ((most == least)); then
            opp "$mhz" "$high"
        else
            opp "$mhz" $((low + (high - low) * (mhz - least) / (most - least)))
        fi
    done
    printf '\t};\n};\n'
    for cpu in $cpus; do
        printf '&{/cpus/cpu@%d} {\n\tclocks = <&lab_clock_%s>;\n\toperating-points-v2 = <&lab_opps_%s>;\n' "$cpu" "$name" "$name"
        printf '\tcapacity-dmips-mhz = <%d>;\n\tdynamic-power-coefficient = <%d>;\n};\n' "$dmips" "$coefficient"
    done
}

all='600 900 1200 1500 1800 2100 2400 2700 3000'
big=(1024 480 "$all" 650000 1100000)

case $shape in
    separate)
        for cpu in 0 1 2 3; do
            domain "cpu$cpu" "$cpu" "${big[@]}"
        done
        ;;
    shared) domain all '0 1 2 3' "${big[@]}" ;;
    biglittle)
        # 450 x 2000 / (1024 x 3000) is 300 / 1024. Little ones spend less for the same work at each of their frequencies.
        domain little '0 1' 450 80 '400 800 1200 1600 2000' 600000 900000
        domain big '2 3' "${big[@]}"
        ;;
    *)
        echo "dts.sh: no shape '$shape'" >&2
        exit 2
        ;;
esac
domain rest '4 5' 1024 480 3000 1100000 1100000

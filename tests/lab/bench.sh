# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab bench: what is measured in the lab. signal and cost are x86's, for each stock kernel of the guest (on the host VM that has
# uclamp); dvfs is arm64's, for one of its host VMs (bench-dvfs.sh).

cmd_bench() {
    # shellcheck disable=SC2153 # guest.sh's
    local what=${1:-} kernels=$GUEST_KERNELS loads='' status=0
    [[ $what =~ ^(signal|cost|dvfs)$ ]] || die "bench: signal, cost or dvfs?"
    shift
    if [[ $what == dvfs ]]; then
        cmd_bench_dvfs "$@"
        return
    fi
    while (($# > 0)); do
        case $what:$1 in
            signal:--quick) loads=$BENCH_QUICK ;;
            signal:--source)
                [[ " $BENCH_SOURCES " == *" ${2:-?} "* ]] || die "--source: one of $BENCH_SOURCES"
                # shellcheck disable=SC2034 # bench-signal.sh's
                BENCH_ONLY=$2
                shift
                ;;
            *:--kernel)
                [[ " $GUEST_KERNELS " == *" ${2:-?} "* ]] || die "--kernel: one of $GUEST_KERNELS"
                kernels=$2
                shift
                ;;
            *) die "bench $what: what is '$1'?" ;;
        esac
        shift
    done
    GUEST_KERNEL=${kernels%% *}
    [[ $LAB_ARCH == x86 ]] || die "bench $what is of x86 alone"
    lab_begin
    lab_up || exit 1
    step_join guest || exit 1
    # shellcheck disable=SC2034 # guest.sh's
    for GUEST_KERNEL in $kernels; do
        # shellcheck disable=SC2086 # names of loads
        "bench_$what" $loads || status=1
    done
    return "$status"
}

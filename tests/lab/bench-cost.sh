# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab bench cost: what watching costs the guest, by tests/bench/cost/guest.sh: CPU time for each report beside qemu-ga's for each
# guest-get-cpustats, wake-ups and memory when idle. For guests of 2 and 8 vCPUs, with each source. What was printed is in
# $LAB_ROOM/bench/cost-KERNEL, the table in cost-KERNEL.md. What it costs the guest's own work has to be measured on hardware
# (tests/bench/cost/hackbench.py): one and the same hackbench differs by 30 % under emulation, which doesn't always survive it.

COST_VCPUS='2 8'
COST_SECONDS=30
# the load under which reports are counted: on every vCPU, half of the time
COST_LOAD='load --quiet --busy 100 --period 200 --seconds 999'

cost_dir() { echo "$LAB_ROOM/bench/cost-$GUEST_KERNEL"; }

# cost_guest VCPUS: a guest of so many, with P-states of vmfreqctl's own making
cost_guest() {
    # shellcheck disable=SC2034 # for guest.sh
    GUEST_VCPUS=$1
    guest_start
    guest_pipe /usr/local/bin/guest.sh <"$LAB_TOP/tests/bench/cost/guest.sh"
    guest_run 'chmod 755 /usr/local/bin/guest.sh'
}

# cost_source SOURCE VCPUS: CPU time under a load, wake-ups and memory when idle
cost_source() {
    local source=$1 cpus out
    out=$(cost_dir)/$1-$2
    cpus=$(seq -s , 0 $(($2 - 1)))
    mkdir -p "$(cost_dir)"
    loop_start 'placement = off'
    bench_source "$source"
    if [[ $source == agent ]]; then
        host_run 'rm -f /run/bench/poll*'
        host_pipe 'mkdir -p /run/bench && cat >/run/bench/host.py' <"$LAB_TOP/tests/bench/signal/host.py"
        bench_poll 10
        guest_run -t 120 "guest.sh agent $COST_SECONDS $COST_LOAD --cpus $cpus" >"$out"
        # shellcheck disable=SC2016 # for the host VM's shell
        host_run 'wc -l <"/run/bench/poll-agent 10 Hz"; kill $(cat /run/bench/poll.pids)' | sed 's/^/calls /' >>"$out"
    else
        sleep 5
        {
            guest_run -t 120 "guest.sh guestd $COST_SECONDS $COST_LOAD --cpus $cpus"
            sleep 5
            guest_run -t 120 "guest.sh idle $COST_SECONDS" | sed 's/^/idle_/'
            guest_run 'guest.sh memory'
        } >"$out"
    fi
    note "$(xargs <"$out")"
}

# cost_row SOURCE VCPUS: of the table
cost_row() {
    local file=$1-$2
    awk -v source="$1" -v vcpus="$2" -v seconds="$COST_SECONDS" '
        { value[$1] = $2 }
        END {
            if (source == "agent") {
                printf "| qemu-ga, guest-get-cpustats | %s | %d | %.0f | - | %.0f | - | - |\n", vcpus, value["calls"],
                    value["cpu_nsec"] / 1000 / value["calls"], value["cpu_nsec"] / 1000 / value["calls"]
                exit
            }
            cpu = value["cpu_nsec"] / 1000 / value["reports"]
            bpf = value["bpf_nsec"] / 1000 / value["reports"]
            printf "| %s | %s | %d | %.0f | %.0f | %.0f | %.2f | %d |\n", source, vcpus, value["reports"], cpu, bpf, cpu + bpf,
                value["idle_wakeups"] / seconds, value["anonymous_kb"]
        }' "$(cost_dir)/$file"
}

cost_table() {
    local vcpus source
    {
        echo "| source | vCPUs | reports or calls in $COST_SECONDS s | its own CPU, us each | eBPF programs, us each | both | wake-ups a second, idle | anonymous kB |"
        echo '|---|---|---|---|---|---|---|---|'
        for vcpus in $COST_VCPUS; do
            for source in $BENCH_SOURCES; do
                cost_row "$source" "$vcpus"
            done
        done
    } >"$(cost_dir).md"
    note "$(cost_dir).md"
}

# bench_cost: all of it for the kernel GUEST_KERNEL
bench_cost() {
    local vcpus source status=0
    for vcpus in $COST_VCPUS; do
        step "cost-guest-$vcpus" 300 cost_guest "$vcpus" || return
        for source in $BENCH_SOURCES; do
            step "cost-$vcpus-$source" 300 cost_source "$source" "$vcpus" || status=1
        done
    done
    step cost-table 30 cost_table || status=1
    return "$status"
}

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One run of a timetable, in the host VM: run.sh CARRIER DIRECTORY [SOCKET CID]
#
# DIRECTORY has plan.timetable, and host.timetable if the host does something by itself meanwhile. It gets the files of a run
# (tests/bench/dvfs/measured.py), but for meta: run.bursts, run.trace, host.bursts, energy_model, writes, and what the programs
# said (*.log). CARRIER is one of the carrier's, or payload: then DVFS_DOMAIN names the domain, which has DVFS_VCPUS. With
# SOCKET, plan.reports is sent there, to the hostd that listens, in the name of CID.

set -eu
carrier=$1
cd "$2"
socket=${3:-}
cid=${4:-}
domain=${DVFS_DOMAIN:-}
page=/dev/shm/vmfreq-dvfs
instances=/sys/kernel/tracing/instances
cpus=$(sed -n 's/^cpus //p' plan.timetable)
ended='' carrier_pid='' own_pid='' sender_pid='' feeder_pid=''

# Whatever is started is ended by its pid, however this ends.
cleanup() {
    local status=$? pid
    for pid in ${carrier_pid:-} ${own_pid:-} ${sender_pid:-} ${feeder_pid:-}; do
        kill "$pid" 2>/dev/null || true
    done
    [[ -n $ended ]] || trace_remove
    exit "$status"
}
trap cleanup EXIT

# ---- what the kernel saw. Two instances: who ran where on the CPUs that are measured; and who set a clamp, wherever that was.

# trace_instance NAME CPUMASK EVENT...
trace_instance() {
    local at=$instances/$1 mask=$2 event
    shift 2
    mkdir -p "$at"
    echo 0 >"$at/tracing_on"
    echo mono >"$at/trace_clock"
    echo "$TRACE_KB" >"$at/buffer_size_kb"
    echo "$mask" >"$at/tracing_cpumask"
    for event in "$@"; do
        echo 1 >"$at/events/$event/enable"
    done
    echo 1 >"$at/tracing_on"
}

# sched_setattr(2), as the kernel takes it: its own structures tell where the fields are
trace_begin() {
    TRACE_KB=24576 trace_instance bench f sched/sched_switch sched/sched_migrate_task power/cpu_frequency
    echo 'p:vmfreq/clamp __sched_setscheduler tid=p->pid flags=attr->sched_flags min=attr->sched_util_min max=attr->sched_util_max' \
        >>/sys/kernel/tracing/kprobe_events
    TRACE_KB=1024 trace_instance bench-writes 3f vmfreq/clamp
}

trace_end() {
    echo 0 >$instances/bench/tracing_on
    echo 0 >$instances/bench-writes/tracing_on
    cat $instances/bench/trace >run.trace
    cat $instances/bench-writes/trace >clamps.raw
    trace_remove
    ended=yes
}

trace_remove() {
    local name
    for name in bench bench-writes; do
        [[ ! -d $instances/$name ]] || rmdir $instances/$name
    done
    grep -q vmfreq/clamp /sys/kernel/tracing/kprobe_events && echo '-:vmfreq/clamp' >>/sys/kernel/tracing/kprobe_events
    return 0
}

# "USEC VCPU min|max VALUE" of each clamp that a vCPU's thread was given: those of the flags that were meant. -1 is the default.
clamps() {
    awk -v vcpus="$1" '
        BEGIN {
            n = split(vcpus, pair, " ")
            for (i = 1; i <= n; i++) { split(pair[i], word, ":"); vcpu[word[2]] = word[1] }
        }
        function say(kind, value, standard) {
            printf "%.0f %d %s %d\n", usec * 1e6, vcpu[of["tid"]], kind, (value > 1024 ? standard : value)
        }
        / clamp: / {
            usec = $0; sub(/^.*[]] +[^ ]+ +/, "", usec); sub(/: .*/, "", usec)
            for (i = 1; i <= NF; i++) { split($i, field, "="); of[field[1]] = field[2] }
            if (!(of["tid"] in vcpu)) next
            if (int(of["flags"] / 32) % 2) say("min", of["min"], 0)
            if (int(of["flags"] / 64) % 2) say("max", of["max"], 1024)
        }' clamps.raw
}

power_table() {
    local at state
    for at in /sys/kernel/debug/energy_model/cpu*; do
        echo "cpus $(cat "$at/cpus")"
        for state in "$at"/ps:*; do
            echo "$(cat "$state/frequency") $(cat "$state/power")"
        done
    done
}

# "VCPU:TID" of each, by the names that QEMU gives its threads
vcpu_threads() {
    local task name
    for task in /proc/"$1"/task/*; do
        read -r name <"$task/comm"
        [[ $name == 'CPU '*/* ]] || continue
        name=${name#CPU }
        echo "${name%/*}:${task##*/}"
    done | sort -n | head -n "$cpus"
}

# ---- the run

# feed [--vcpu VCPU:TID]... PAGE...: until the first carrier could start
feed() {
    rm -f $page
    chrt -f 10 taskset -c 4 feeder "$@" >feeder.log 2>&1 &
    feeder_pid=$!
    # it has read all CPUs when the page has its magic number
    until [[ -s $page && $(od -An -tx1 -N4 $page | tr -d ' ') != 00000000 ]]; do
        kill -0 "$feeder_pid"
        sleep 0.05
    done
}

# When the domain's carrier starts: it says so, a second and a half ahead
carrier_start() {
    local start=
    until [[ -n $start ]]; do
        kill -0 "$carrier_pid" || return
        sleep 0.02
        start=$(sed -n 's/^start //p' carrier.log)
    done
    echo "$start"
}

# The reports go out by the carrier's own clock. In a process of its own.
send_reports() {
    local start
    start=$(carrier_start)
    exec chrt -f 5 taskset -c 5 report-send --cpus="$DVFS_VCPUS" --start="$start" --invariant "$socket" "$cid" <plan.reports >reports.log 2>&1
}

# CLOCK_MONOTONIC, in a second; it is /proc/uptime's on a machine that never sleeps
soon() {
    local up
    read -r up _ </proc/uptime
    echo $((10#${up/./} * 10000 + 1000000))
}

has_own() { [[ -s host.timetable ]]; }

# own_begin START: what the host does by itself, beside the VM or natively, from that moment on. Only that is on its CPUs: what
# its carrier needs besides is on those that aren't measured.
own_begin() {
    local own_cpus
    own_cpus=$(sed -n 's/^cpus //p' host.timetable)
    taskset -c "0-$((own_cpus - 1)),4-5" carrier native --start "$1" host.timetable host.bursts >host.log 2>&1 &
    own_pid=$!
}

own_end() {
    [[ -z $own_pid ]] || wait "$own_pid"
    own_pid=
}

carry_native() {
    local start=()
    feed $page
    trace_begin
    if has_own; then
        start=(--start "$(soon)")
        own_begin "${start[1]}"
    fi
    taskset -c 0-5 carrier "$carrier" "${start[@]}" plan.timetable run.bursts >carrier.log 2>&1
    trace_end
    own_end
    mv clamps.raw clamps.log
    : >writes
}

carry_payload() {
    local pid guest_page thread threads start arguments=()
    pid=$(cat "/run/libvirt/qemu/$domain.pid")
    threads=$(vcpu_threads "$pid" | xargs)
    for thread in $threads; do
        arguments+=(--vcpu "$thread")
    done
    guest_page=$(payload-run --pid "$pid" page)
    feed "${arguments[@]}" $page "$guest_page"
    trace_begin
    : >carrier.log
    payload-run --pid "$pid" plan.timetable run.bursts >carrier.log 2>&1 &
    carrier_pid=$!
    if [[ -n $socket ]]; then
        send_reports &
        sender_pid=$!
    fi
    if has_own; then
        start=$(carrier_start)
        own_begin "$start"
    fi
    wait "$carrier_pid"
    carrier_pid=
    trace_end
    own_end
    [[ -z $sender_pid ]] || wait "$sender_pid"
    sender_pid=
    clamps "$threads" >writes
    mv clamps.raw clamps.log
}

power_table >energy_model
cat /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq | xargs >khz
cat /sys/devices/system/cpu/cpu[0-9]*/cpu_capacity | xargs >capacities
case $carrier in
    payload) carry_payload ;;
    *) carry_native ;;
esac
kill "$feeder_pid"
wait "$feeder_pid"
feeder_pid=
# what went through unseen makes the work false
for log in run.bursts host.bursts; do
    [[ $log == run.bursts ]] || has_own || continue
    if ! grep -q '^# feeder: .* lost 0 wrong 0$' $log; then
        echo "the feeder missed something: $(grep '^# feeder' $log)" >&2
        exit 1
    fi
done

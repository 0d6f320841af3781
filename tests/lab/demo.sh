# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab demo: the same load in the guest with hostd only watching (--dry-run) and with hostd acting, a few times each in
# turn, and the difference that it makes. The load is a task that works in bursts and sleeps between them: the thread
# under it has gone cold each time. (A plain hog would reach the top frequency by itself.)
#
# What was found on the way here, under nested emulation: a task that hops between the vCPUs every 250 to 1000 ms shows in
# the floors and not in the frequency, since the guest's housekeeping alone keeps both threads at a fifth to a third of a
# CPU, in spikes that schedutil follows to the top. Bursts show in both once the vCPU threads have a host CPU each, apart
# from QEMU's other threads, and guestd looks as rarely as vmfreq.sh says. The floor outlasts the pause (floor_hold), so it
# is there when the thread wakes.

DEMO_ROUNDS=3
DEMO_SECONDS=12
DEMO_BURST_MSEC=800
DEMO_PERIOD_MSEC=4000
DEMO_HOLD='floor_hold = 8s'

demo_pin() {
    host_run "virsh -q vcpupin $GUEST 0 2 && virsh -q vcpupin $GUEST 1 3 && virsh -q emulatorpin $GUEST 0-1"
}

# demo_round MODE NUMBER: one round; its figures go to run/demo.MODE
demo_round() {
    local option='' tid
    [[ $1 == watching ]] && option=--dry-run
    # shellcheck disable=SC2086 # no word or one
    loop_start $option "$DEMO_HOLD"
    tid=$(vcpu_tid 1)
    load_start --cpus 1 --busy "$DEMO_BURST_MSEC" --period "$DEMO_PERIOD_MSEC" --seconds $((DEMO_SECONDS + 10))
    # the first bursts are for the floor to come
    sleep 5
    host_run "watch-vcpus --tids $tid --seconds $DEMO_SECONDS --least 200 & sleep $((DEMO_SECONDS / 2))
        vmfreqctl status >/run/demo.status; wait" >"$LAB_RUN/demo.round"
    host_run "cat /run/demo.status" >"$LAB_RUN/demo.status"
    load_stop
    cat "$LAB_RUN/demo.round"
    cat "$LAB_RUN/demo.round" >>"$LAB_RUN/demo.$1"
}

# demo_field MODE KEY: the values of one figure, one a line
demo_field() { sed -n "s/.*\\b$2=\\(-\\?[0-9]*\\).*/\\1/p" "$LAB_RUN/demo.$1"; }

# demo_range MODE KEY: "least..most" and, on the second line, the mean
demo_range() {
    demo_field "$1" "$2" | sort -n | awk '
        { value[NR] = $1; sum += $1 }
        END { printf "%d..%d\n%.0f\n", value[1], value[NR], sum / NR }'
}

demo_row() {
    local key cells=()
    for key in floor floor_min mhz start_mhz top_ms; do
        cells+=("$(demo_range "$1" "$key" | head -n 1)")
    done
    printf '            %-30s %12s %12s %12s %14s %12s\n' "$2" "${cells[@]}"
}

# Whether the two ranges of a figure don't touch.
demo_apart() {
    local lower upper
    lower=$(demo_field watching "$1" | sort -n | tail -n 1)
    upper=$(demo_field acting "$1" | sort -n | head -n 1)
    ((upper > lower))
}

demo_judge() {
    local status=0
    if demo_apart floor; then
        say "effective floor: acting differs from watching in every round"
    else
        say "effective floor: NO difference in every round"
        status=1
    fi
    if demo_apart mhz; then
        say "frequency: the difference is larger than the spread of the rounds"
    else
        say "frequency: the difference is NOT larger than the spread of the rounds"
        status=1
    fi
    return "$status"
}

cmd_demo() {
    local round mode
    (($# == 0)) || die "demo takes no arguments"
    lab_begin
    lab_up || die "the lab could not be brought up"
    step_join guest || die "the guest could not be started"

    step eye 30 watch_install || die "the lab's eye could not be put into the host VM"
    step pin 30 demo_pin || die "the guest's threads could not be pinned"
    say "the load: a task on the guest's vCPU 1 that works $DEMO_BURST_MSEC ms in every $DEMO_PERIOD_MSEC ms"
    rm -f "$LAB_RUN"/demo.*
    for ((round = 1; round <= DEMO_ROUNDS; round++)); do
        for mode in watching acting; do
            step "$mode-$round" 90 demo_round "$mode" || die "round $round of $mode failed"
            sed 's/^/            | /' "$LAB_RUN/demo.status"
        done
    done
    hostd_stop

    echo
    printf '            %-30s %12s %12s %12s %14s %12s\n' "least..most of $DEMO_ROUNDS rounds" \
        'floor' 'least floor' 'MHz' 'MHz at first' 'ms to top'
    demo_row watching 'hostd watches (--dry-run)'
    demo_row acting 'hostd acts'
    echo
    say "floor: effective uclamp.min of the thread that carried the task, 0..1024, as the kernel says; its mean and its least"
    say "MHz: under the task, over its bursts, and over the first 200 ms of them"
    say "ms to top: from a burst's begin until its CPU runs at 90 % of its highest frequency, looking every 10 ms"
    say "emulated, on Linux $(host_run 'uname -r'): it shows that the loop works, not what it gains on hardware"
    demo_judge
}

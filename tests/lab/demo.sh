# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab demo: the same load in the guest with hostd only watching (--dry-run) and with hostd acting, a few times each in
# turn, and the difference that it makes. The load is a task that hops between the guest's two vCPUs: what a guest's
# scheduler does all the time, and what leaves its history behind. A plain hog would reach the top by itself.

DEMO_ROUNDS=3
DEMO_SECONDS=8
DEMO_HOP_MSEC=250

# demo_round MODE NUMBER: one round; its figures go to run/demo.MODE
demo_round() {
    local option='' tids
    [[ $1 == watching ]] && option=--dry-run
    # shellcheck disable=SC2086 # no word or one
    loop_start $option
    tids=$(vcpu_threads | awk '{ print $2 }' | paste -sd,)
    load_start --cpus 0,1 --hop "$DEMO_HOP_MSEC" --busy $((DEMO_SECONDS * 1000 + 3000))
    sleep 1
    host_run "vmfreqctl status" >"$LAB_RUN/demo.status"
    host_run "watch-vcpus --tids $tids --seconds $DEMO_SECONDS" | tee -a "$LAB_RUN/demo.$1"
    load_stop
    guestd_log 3 || true
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
    for key in floor floor_min mhz reach_ms; do
        cells+=("$(demo_range "$1" "$key" | head -n 1)")
    done
    printf '            %-34s %12s %12s %12s %14s\n' "$2" "${cells[@]}"
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
    step_join build || die "vmfreq could not be built"
    step host-install 60 project_install || die "vmfreq could not be installed"
    step_join guest || die "the guest could not be started"
    step guest-install 120 project_install_guest || die "guestd could not be put into the guest"

    step eye 30 watch_install || die "the lab's eye could not be put into the host VM"
    say "the load: one task that always wants a CPU and hops to the guest's other vCPU every $DEMO_HOP_MSEC ms"
    rm -f "$LAB_RUN"/demo.*
    for ((round = 1; round <= DEMO_ROUNDS; round++)); do
        for mode in watching acting; do
            step "$mode-$round" 90 demo_round "$mode" || die "round $round of $mode failed"
            sed 's/^/            | /' "$LAB_RUN/demo.status"
        done
    done
    hostd_stop

    echo
    printf '            %-34s %12s %12s %12s %14s\n' "$DEMO_ROUNDS rounds of $DEMO_SECONDS s, least..most" \
        'floor, mean' 'floor, least' 'MHz, mean' 'ms to the top'
    demo_row watching 'hostd watches (--dry-run)'
    demo_row acting 'hostd acts'
    echo
    say "floor: effective uclamp.min of the thread that carried the task, 0..1024, as the kernel says"
    say "ms to the top: from each hop until the CPU under the task runs at 90 % of its highest frequency, median"
    say "emulated, on Linux $(host_run 'uname -r'): it shows that the loop works, not what it gains on hardware"
    demo_judge
}

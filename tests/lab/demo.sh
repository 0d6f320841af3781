# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab demo: the same load in the guest with hostd only watching (--dry-run) and with hostd acting, a few times each in
# turn, and the difference that it makes. The load is a task that is always busy and goes to the other vCPU every 100 ms:
# each time the thread under it has gone cold.
#
# The vCPU threads have a host CPU each, apart from QEMU's other threads, so that what is seen is the task's.

DEMO_ROUNDS=3
DEMO_SECONDS=12
DEMO_HOP_MSEC=100

demo_pin() {
    host_run "virsh -q vcpupin $GUEST 0 2 && virsh -q vcpupin $GUEST 1 3 && virsh -q emulatorpin $GUEST 0-1"
}

# demo_round MODE NUMBER: one round; its figures go to run/demo.MODE
demo_round() {
    local option='' tids
    [[ $1 == watching ]] && option=--dry-run
    # shellcheck disable=SC2086 # no word or one
    loop_start $option
    tids=$(vcpu_threads | awk '{ print $2 }' | paste -s -d ,)
    load_start --cpus 0,1 --hop "$DEMO_HOP_MSEC" --busy $(((DEMO_SECONDS + 10) * 1000))
    # the first hops are for the floors to come
    sleep 2
    host_run "watch-vcpus --tids $tids --seconds $DEMO_SECONDS --every 5 --least $((DEMO_HOP_MSEC / 2)) & sleep $((DEMO_SECONDS / 2))
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

# How long it took to the top, as a range or one number
demo_words() { demo_range "$1" top_ms | sed -n '1s/^\([0-9]*\)\.\.\1$/\1/; 1p'; }

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
        say "floor: with vmfreq it is higher in every round"
    else
        say "floor: it is NOT higher in every round"
        status=1
    fi
    if demo_apart mhz; then
        say "frequency: with vmfreq it is higher in every round; after a hop the top is reached in $(demo_words acting) instead of" \
            "$(demo_words watching) ms"
    else
        say "frequency: it is NOT higher in every round"
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

    step watcher 30 watch_install || die "the lab's eye could not be put into the host VM"
    step pin 30 demo_pin || die "the guest's threads could not be pinned"
    say "the load: a busy task in the guest that goes to the other of its two vCPUs every $DEMO_HOP_MSEC ms"
    say "each vCPU has a host CPU of its own here, so that what is seen is the task's and not its neighbours'"
    say "settings that aren't the default, for emulation is slow: $(guestd_config | xargs), $HOSTD_CONFIG"
    say "in the status: floor is what hostd decides, effective is what the kernel has"
    rm -f "$LAB_RUN"/demo.*
    for ((round = 1; round <= DEMO_ROUNDS; round++)); do
        for mode in watching acting; do
            step "$mode-$round" 90 demo_round "$mode" || die "round $round of $mode failed"
            # the first round shows what it looks like
            ((round > 1)) || sed 's/^/            | /; s/ *$//' "$LAB_RUN/demo.status"
        done
    done
    hostd_stop

    echo
    printf '            %-30s %12s %12s %12s %14s %12s\n' "least..most of $DEMO_ROUNDS rounds" \
        'floor' 'least floor' 'MHz' 'MHz at first' 'ms to top'
    demo_row watching 'without (hostd only watches)'
    demo_row acting 'with vmfreq'
    echo
    say "floor: the effective uclamp.min of the task's thread, 0..1024, as the kernel says: its mean, and its least (just after a hop)"
    say "MHz: under the task, and over the first $((DEMO_HOP_MSEC / 2)) ms after a hop"
    say "ms to top: from a hop until the task's CPU runs at 90 % of its highest frequency, looking every 5 ms"
    say "emulated, on Linux $(host_run 'uname -r'): it shows that the loop works, not what it gains on hardware."
    say "$HOST_CAVEAT"
    demo_judge
}

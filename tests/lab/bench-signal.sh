# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab bench signal: how good the guest's signal is where hostd receives it, by tests/bench/signal. For each kernel of the
# guest the loads run three times: with guestd on its eBPF source, on /proc, and without guestd while qemu-ga is polled. What
# was collected is in $LAB_ROOM/bench/KERNEL/SOURCE, and the table in $LAB_STATE/bench/KERNEL.md.

BENCH_PORT=9999
BENCH_SOURCES='ebpf proc agent'
BENCH_ONLY=$BENCH_SOURCES # --source: the others are as they were measured before
# with --quick
# shellcheck disable=SC2034 # for bench.sh
BENCH_QUICK='idle step duty-50-10 duty-50-50 hop rt'
BENCH_MEMORY=512 # the trace is held in the guest's memory

# bench_dir SOURCE: where a run's files go
bench_dir() { echo "$LAB_ROOM/bench/$GUEST_KERNEL/$1"; }

bench_label() {
    case $1 in
        ebpf) echo eBPF ;;
        proc) echo /proc ;;
        *) echo "$1" ;;
    esac
}

# The guest's and the host's halves, to where they run
bench_install() {
    local bench=$LAB_TOP/tests/bench/signal
    host_pipe 'mkdir -p /run/bench && cat >/run/bench/host.py' <"$bench/host.py"
    guest_pipe /usr/local/bin/guest.sh <"$bench/guest.sh"
    guest_pipe /run/loads <"$bench/loads"
    guest_pipe /run/compile <"$bench/recorded/compile"
    gcc -O2 -s -static -Wall -Wextra -Werror -o "$LAB_STATE/replay" "$bench/replay.c"
    guest_pipe /usr/local/bin/replay <"$LAB_STATE/replay"
    guest_run 'chmod 755 /usr/local/bin/guest.sh /usr/local/bin/replay; mountpoint -q /sys/kernel/tracing || mount -t tracefs nodev /sys/kernel/tracing'
}

# hostd with the records it receives in a file: journald would drop some
bench_hostd() {
    hostd_start 'placement = off'
    host_run "rm -f /run/bench/hostd.log; mkdir -p $HOSTD_DROPIN
        printf '%s\n' '[Service]' ExecStart= 'ExecStart=/usr/sbin/vmfreq-hostd --log-level=debug' \
            StandardError=append:/run/bench/hostd.log >$HOSTD_DROPIN/lab.conf
        systemctl daemon-reload && systemctl restart vmfreq-hostd"
}

# bench_source SOURCE: it alone is at work in the guest, with the settings that guestd has by itself
bench_source() {
    # shellcheck disable=SC2016 # for the guest's shell
    guest_run 'systemctl stop vmfreq-guestd; [ ! -e /run/qga.pid ] || kill $(cat /run/qga.pid); rm -f /run/qga.pid'
    case $1 in
        agent) guest_run 'qemu-ga -d -f /run/qga.pid -m virtio-serial -p /dev/vport0p2' ;;
        *)
            guest_run "printf '%s\n' '[guest]' 'signal = $1' >/etc/vmfreq.conf && systemctl start vmfreq-guestd"
            eventually 30 "the guest streams" is_streaming
            equal "the signal" "$(status '.domains[0].signal')" "$1"
            ;;
    esac
}

bench_listens() { host_run "ss -lH --vsock | grep -q ':$BENCH_PORT '"; }

# bench_exchange HOST_ARGUMENTS GUEST_SCRIPT: host.py listens, then the guest calls
bench_exchange() {
    host_run "cd /run/bench && python3 -B host.py $1" &
    eventually 30 "host.py listens" bench_listens
    guest_run -t 300 "$2"
    wait "$!"
}

# The clocks of host VM and guest, compared over vsock
bench_sync() {
    bench_exchange "sync --vsock $BENCH_PORT sync" \
        "mkfifo /run/back && { vsockcat 2 $BENCH_PORT </run/back | guest.sh sync >/run/back; }; rm /run/back"
}

# bench_trace FILE: what the guest's kernel has seen, which ends the trace
bench_trace() {
    bench_exchange "take --vsock $BENCH_PORT trace" \
        "{ guest.sh end /dev/stdout && echo vmfreq-trace-ends; } | vsockcat 2 $BENCH_PORT"
    host_get /run/bench/trace "$1"
}

# bench_poll HZ: asks qemu-ga until it is ended
bench_poll() {
    host_run "cd /run/bench && { setsid python3 -B host.py poll --hz $1 --seconds 1200 --domain $GUEST 'poll-agent $1 Hz' \
        </dev/null >>poll.log 2>&1 & } && echo \$! >>poll.pids"
}

# What the host's own PELT says of the vCPU threads, for as long
bench_host_pelt() {
    local tids
    tids=$(vcpu_threads | awk '{ print $2 }' | paste -s -d ,)
    host_run "cd /run/bench && { setsid watch-vcpus --tids $tids --seconds 1200 --every 10 --series >'poll.series' \
        </dev/null 2>>poll.log & } && echo \$! >>poll.pids"
}

# QEMU's SVM doesn't always last: the host VM has ended with a general protection fault in KVM, after a quarter of an hour of
# all loads, and the guest been reset. Then they are begun anew.
bench_up() {
    # a connection from before would wait for minutes
    host_ssh -O exit root@127.0.0.1 || true
    if ! host_run true; then
        host_boot
        project_install
    fi
    guest_run true || bench_guest
}

# bench_run SOURCE [LOAD...]: one run, into its directory
bench_run() {
    local source=$1 dir seconds=600
    dir=$(bench_dir "$source")
    shift
    rm -rf "$dir"
    mkdir -p "$dir"
    bench_up
    bench_install
    watch_install
    host_run 'rm -f /run/bench/{sync,trace,poll*}'
    bench_hostd
    bench_source "$source"
    guest_run -t 60 'guest.sh begin'
    bench_sync
    if [[ $source == agent ]]; then
        bench_poll 10
        bench_poll 1
    fi
    [[ $source != ebpf ]] || bench_host_pelt
    guest_run 'cat /proc/stat' >"$dir/stat-before"
    guest_run -t "$seconds" "guest.sh run /run/loads $*"
    guest_run 'cat /proc/stat' >"$dir/stat-after"
    # shellcheck disable=SC2016 # for the host VM's shell
    host_run 'kill $(cat /run/bench/poll.pids) 2>/dev/null; true'
    bench_sync
    bench_trace "$dir/trace"
    host_get /run/bench/sync "$dir/sync"
    bench_label "$source" >"$dir/label"
    if [[ $source == agent ]]; then
        for hz in 10 1; do
            host_get "/run/bench/poll-agent $hz Hz" "$dir/poll-agent $hz Hz"
        done
    else
        host_get /run/bench/hostd.log "$dir/hostd.log"
    fi
    [[ $source != ebpf ]] || host_get /run/bench/poll.series "$dir/series-host's PELT of the thread"
    loop_cleanup
}

# The guest of this kernel, with room for the trace
bench_guest() {
    # shellcheck disable=SC2034 # for guest.sh
    GUEST_MEMORY=$BENCH_MEMORY
    guest_start
}

# The kernel's release as compare.py wants it: 7.3
bench_release() { kernel_version "$GUEST_KERNEL" | sed -E 's/^([0-9]+\.[0-9]+).*/\1/'; }

bench_compare() {
    local dir=$LAB_ROOM/bench runs=() source
    for source in $BENCH_SOURCES; do
        [[ ! -e $dir/$GUEST_KERNEL/$source/label ]] || runs+=("$dir/$GUEST_KERNEL/$source")
    done
    /usr/bin/python3 -B "$LAB_TOP/tests/bench/signal/compare.py" --kernel "$(bench_release)" \
        --without vmfreq-guestd --plot "step@-0.2-3=$dir/$GUEST_KERNEL-step.svg" "${runs[@]}" >"$dir/$GUEST_KERNEL.md"
    # a hog that moves: the demand that hostd has of each vCPU, and the host's own PELT of the vCPU's thread
    /usr/bin/python3 -B "$LAB_TOP/tests/bench/signal/compare.py" --kernel "$(bench_release)" --without vmfreq-guestd \
        --plot "hop@1-5=$dir/$GUEST_KERNEL-hop.svg" "$dir/$GUEST_KERNEL/ebpf" >/dev/null
    note "$dir/$GUEST_KERNEL.md"
}

# bench_signal LOAD...: for the kernel GUEST_KERNEL, the sources BENCH_ONLY, and the table of all that there are
bench_signal() {
    local source status=0
    step "guest-$GUEST_KERNEL" 300 bench_guest || return
    for source in $BENCH_ONLY; do
        step "signal-$GUEST_KERNEL-$source" 900 bench_run "$source" "$@" || status=1
    done
    step "compare-$GUEST_KERNEL" 300 bench_compare || status=1
    return "$status"
}

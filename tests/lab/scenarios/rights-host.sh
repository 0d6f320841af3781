# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: each right of hostd's unit taken away in turn makes the named check fail (SECURITY.md); with all of them it passes
# limit: 600
# order: 85
# full: yes
# hosts: uclamp

# shellcheck source=tests/lab/rights.sh
. "$LAB_DIR/rights.sh"

DROPIN=$HOSTD_DROPIN/rights.conf

# without LINES: hostd's unit with these lines of a drop-in
without() {
    host_run "mkdir -p ${DROPIN%/*} && printf '%s\n' '[Service]' TimeoutStartSec=20 $(printf '%q ' "$@") >$DROPIN &&
        systemctl daemon-reload"
}

# hostd_runs [KEY=VALUE...]: hostd anew with this configuration; whether it is up
hostd_runs() {
    local line
    for line in '[host]' "$HOSTD_CONFIG" "$@"; do
        echo "$line"
    done | host_pipe 'cat >/etc/vmfreq.conf'
    host_run 'systemctl stop vmfreq-hostd; systemctl reset-failed vmfreq-hostd 2>/dev/null
        timeout 40 systemctl restart vmfreq-hostd'
}

# hostd has heard that the guest's vCPU 1 is busy
hears_load() { (($(status '.domains[0].vcpus[1].util' 2>/dev/null || echo 0) >= 600)); }

floor_stands() { floor_at_least 1 800; }

# has_floor ACTUATOR: hostd comes up and hears of the load; then the floor has a moment to appear
has_floor() {
    hostd_runs "actuator = $1" || return 1
    waits 30 hears_load || fail "the guest's load isn't heard (actuator $1)"
    waits 4 floor_stands
}

# ---- the checks that tests/lab/rights names

is_up() { hostd_runs; }

runs_ahead() { is_up && [[ $(host_run "awk '{ print \$19 }' /proc/\$(systemctl show -P MainPID vmfreq-hostd)/stat") == -10 ]]; }

floor_by_thread() { has_floor thread; }

# Without asking hostd: a user whom D-Bus doesn't let answer is one of those who can't do it.
floor_by_cgroup() { hostd_runs 'actuator = cgroup' && waits 30 floor_stands; }

# Not by the thread's clamp: a CPU's scaling_min_freq is above its lowest.
floor_by_cpufreq() {
    hostd_runs 'actuator = cpufreq' || return 1
    waits 30 hears_load || fail "the guest's load isn't heard (actuator cpufreq)"
    waits 4 min_freq_raised
}

# shellcheck disable=SC2016 # for the host VM's shell
min_freq_raised() {
    host_run 'for p in /sys/devices/system/cpu/cpufreq/policy*; do
        (($(cat $p/scaling_min_freq) > $(cat $p/cpuinfo_min_freq))) && exit
    done
    exit 1'
}

place_by_affinity() {
    hostd_runs 'placement = affinity' 'core_classes = 0-1 < 2-3' 'placement_dwell = 200ms' || return 1
    waits 30 hears_load || fail "the guest's load isn't heard (placement)"
    waits 4 cpus_are 1 2-3
}

# without vmfreq-hostd.socket
listens_itself() {
    local status=0
    host_run 'systemctl stop vmfreq-hostd vmfreq-hostd.socket; systemctl mask --runtime -q vmfreq-hostd.socket'
    { hostd_runs && waits 12 is_streaming; } || status=1
    host_run 'systemctl stop vmfreq-hostd; systemctl unmask --runtime -q vmfreq-hostd.socket'
    return "$status"
}

scenario() {
    # where vsock has namespaces: as a host has it that keeps them apart (it can be set once, and nobody else minds)
    host_run 'echo local >/proc/sys/net/vsock/child_ns_mode; cat /proc/sys/net/vsock/*mode; uname -r; true'
    loop_start
    load_start --cpus 1 --busy 900000
    rights_take_away hostd
}

cleanup() {
    hostd_journal 40 || true
    guestd_log 40 || true
    host_run "rm -f $DROPIN; systemctl unmask --runtime -q vmfreq-hostd.socket; systemctl daemon-reload
        systemctl reset-failed vmfreq-hostd vmfreq-hostd.socket 2>/dev/null; true"
    loop_cleanup
}

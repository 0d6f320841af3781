# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: a guest without CAP_BPF, bpf(), BTF, PSI, schedstat or cpufreq: guestd starts and streams, and both sides' status names it
# limit: 400
# order: 83
# hosts: uclamp

DROPIN=/run/systemd/system/vmfreq-guestd.service.d/fallbacks.conf
SETTINGS=/etc/vmfreq.conf.d/fallbacks.conf

# A path that is taken away is behind an empty folder or file without any permission; guestd is root without CAP_DAC_OVERRIDE.
NO_CAP_BPF=CapabilityBoundingSet=~CAP_BPF
NO_PSI=InaccessiblePaths=/proc/pressure
NO_SCHEDSTAT=InaccessiblePaths=/proc/schedstat
NO_CPUFREQ=(ReadWritePaths= InaccessiblePaths=/sys/devices/system/cpu/cpufreq)

# under LINE...: guestd runs anew, by its unit with these lines of a drop-in. One trip into the guest: it is slow. The old
# process ends by the unit that it was started by, and so gives cpufreq back.
under() {
    guest_run "mkdir -p ${DROPIN%/*} && printf '%s\n' '[Service]' TimeoutStartSec=40 $(printf '%q ' "$@") >$DROPIN
        systemctl stop vmfreq-guestd; systemctl daemon-reload; systemctl reset-failed vmfreq-guestd 2>/dev/null
        systemctl start vmfreq-guestd" || fail "guestd doesn't start with: $*"
}

# What each side says: the signal, and the names of the guest's concerns. The host's own of a domain are left out.
guest_says() { guest_run 'vmfreqctl --json status' | jq -r '.guest | [.signal, .concerns[].name] | join(" ")'; }
host_says() {
    status '.domains[0] | [.signal, .concerns[].name] - ["realtime", "quota", "cpu_ids_unknown", "cpu_ids_wrong",
        "vcpu_offline"] | join(" ")'
}

# The same for people: each concern is a line.
guest_tells() { guest_run 'vmfreqctl status'; }
host_tells() { host_run 'vmfreqctl status'; }

both_say() { [[ $(guest_says) == "$1" && $(host_says) == "$1" ]]; }

# The load on vCPU 1 comes to the host as that vCPU's demand.
is_heard() { (($(status '.domains[0] | if .connected then .vcpus[1].util else 0 end') >= 700)); }

# expect WHAT SIGNAL [CONCERN...]: it streams, and both sides say just that, in the order of PROTOCOL.md's bits
expect() {
    local what=$1 concern
    shift
    eventually 30 "$what: the load is heard" is_heard
    waits 15 both_say "$*" || fail "$what: not '$*': the guest says '$(guest_says)', the host '$(host_says)'"
    for concern in "${@:2}"; do
        contains "$what: the guest's status" "$(guest_tells)" "concern: $concern: "
        contains "$what: the host's status" "$(host_tells)" "concern: $concern: "
    done
    echo "$what: both sides say '$*'"
}

scenario() {
    loop_start 'actuator = off' 'placement = off'
    load_start --cpus 1 --busy 600000

    under
    expect "all is there" ebpf

    under "$NO_CAP_BPF"
    expect "no CAP_BPF" proc ebpf_no_capability
    under SystemCallFilter=~bpf
    expect "no bpf()" proc ebpf_forbidden
    under InaccessiblePaths=/sys/kernel/btf
    expect "no BTF" proc ebpf_no_btf

    guest_run "mkdir -p ${SETTINGS%/*} && printf '%s\n' '[guest]' 'signal = proc' >$SETTINGS"
    under
    expect "signal = proc" proc
    contains "why it is proc" "$(guest_tells)" 'proc -- the settings say signal = proc;'
    guest_run "rm $SETTINGS"

    under "$NO_PSI"
    expect "no PSI" ebpf no_psi
    under "$NO_SCHEDSTAT"
    expect "no schedstat" ebpf no_schedstat
    under "${NO_CPUFREQ[@]}"
    expect "no cpufreq" ebpf no_cpufreq

    under "$NO_CAP_BPF" "$NO_PSI" "$NO_SCHEDSTAT" "${NO_CPUFREQ[@]}"
    expect "nothing at all" proc no_cpufreq no_psi no_schedstat ebpf_no_capability

    under
    expect "all is back" ebpf
    load_stop
    measured "8 fallbacks named on both sides"
}

cleanup() {
    hostd_journal 40 || true
    guestd_log 60 || true
    # guestd runs on from one scenario to the next: with all its rights and settings
    guest_run "rm -f $DROPIN $SETTINGS; rmdir ${SETTINGS%/*} 2>/dev/null; systemctl stop vmfreq-guestd
        systemctl daemon-reload; systemctl reset-failed vmfreq-guestd 2>/dev/null; systemctl start vmfreq-guestd" || true
    loop_cleanup
}

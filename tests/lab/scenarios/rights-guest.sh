# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: each right of guestd's unit taken away in turn makes the named check fail (SECURITY.md); with all of them it passes
# limit: 600
# order: 86
# full: yes
# hosts: uclamp

# shellcheck source=tests/lab/rights.sh
. "$LAB_DIR/rights.sh"

DROPIN=/run/systemd/system/vmfreq-guestd.service.d/rights.conf

# without LINES: guestd runs anew, by its unit with these lines of a drop-in. One trip into the guest: it is slow.
without() {
    guest_run "mkdir -p ${DROPIN%/*} && printf '%s\n' '[Service]' TimeoutStartSec=40 $(printf '%q ' "$@") >$DROPIN
        systemctl stop vmfreq-guestd; systemctl daemon-reload; systemctl reset-failed vmfreq-guestd 2>/dev/null
        systemctl start vmfreq-guestd || true"
}

# ---- the checks that tests/lab/rights names

is_up() { guest_run 'systemctl is-active -q vmfreq-guestd'; }

streams() { is_up && waits 10 is_streaming; }

by_ebpf() { is_up && [[ $(guest_run 'busctl get-property org.vmfreq.Guest1 /org/vmfreq/Guest1 org.vmfreq.Guest1 Signal') == 's "ebpf"' ]]; }

takes_cpufreq() {
    is_up && [[ $(guest_run 'cat /sys/devices/system/cpu/cpufreq/policy0/scaling_governor') == userspace ]]
}

runs_ahead() { [[ $(guest_run "awk '{ print \$19 }' /proc/\$(systemctl show -P MainPID vmfreq-guestd)/stat") == -5 ]]; }

scenario() {
    guest_run 'echo local >/proc/sys/net/vsock/child_ns_mode; cat /proc/sys/net/vsock/*mode; uname -r; true'
    loop_start
    rights_take_away guestd
}

cleanup() {
    hostd_journal 40 || true
    guestd_log 40 || true
    # guestd runs on from one scenario to the next: with all its rights
    guest_run "rm -f $DROPIN; systemctl stop vmfreq-guestd; systemctl daemon-reload
        systemctl reset-failed vmfreq-guestd 2>/dev/null; systemctl start vmfreq-guestd"
    loop_cleanup
}

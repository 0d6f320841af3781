# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: systemctl enable --now of both units, then both VMs are rebooted: everything streams again with no hand on it
# limit: 480
# order: 95

guest_runs() { [[ $(host_run "virsh -q domstate $GUEST 2>/dev/null") == running ]]; }

guest_is_another() {
    local id
    id=$(guest_run 'cat /proc/sys/kernel/random/boot_id' 2>/dev/null) && [[ $id != "$1" ]]
}

reports_since() { (($(status '.domains[0].reports') > $1)); }

scenario() {
    local started host boot reports
    # a second try may find none
    guest_runs || guest_start

    # as an administrator does it, and a guest that starts with the host
    guestd_stop
    host_run "printf '%s\n' '[host]' '$HOSTD_CONFIG' >/etc/vmfreq.conf && systemctl -q enable libvirtd && virsh -q autostart $GUEST"
    host_run 'systemctl -q enable --now vmfreq-hostd'
    guest_run "systemctl -q enable --now vmfreq-guestd && sync"
    eventually 30 "the guest streams" is_streaming

    # the guest alone
    started=$(now)
    boot=$(guest_run 'cat /proc/sys/kernel/random/boot_id')
    guest_run 'systemctl reboot' || true
    eventually 60 "the guest is up again" guest_is_another "$boot"
    eventually 60 "the guest streams after its reboot" is_streaming
    measured "the guest streams $((($(now) - started) / 1000000)) s after its reboot"

    # the guest ends with the host, and starts with it
    started=$(now)
    host_reboot
    host=$(now)
    eventually 60 "libvirtd has started the guest" guest_runs
    eventually 120 "the guest streams again" is_streaming
    measured "the host VM is back $(((host - started) / 1000000)) s after its reboot," \
        "the guest streams after $((($(now) - started) / 1000000)) s"

    equal "vmfreq-hostd" "$(host_run 'systemctl is-active vmfreq-hostd')" active
    equal "vmfreq-guestd" "$(guest_run 'systemctl is-active vmfreq-guestd')" active
    reports=$(status '.domains[0].reports')
    load_start --cpus 1 --busy 600000
    eventually 30 "reports go on" reports_since "$reports"
    eventually 30 "vCPU 1 has a floor" floor_at_least 1 800
    load_stop
    eventually 30 "vCPU 1 is neutral again" floor_is 1 0
}

cleanup() {
    loop_cleanup || true
    host_run "systemctl -q disable vmfreq-hostd libvirtd; virsh -q autostart --disable $GUEST; true"
}

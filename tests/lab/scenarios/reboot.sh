# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: systemctl enable --now of both units, then both VMs are rebooted: everything streams again with no hand on it
# limit: 900
# order: 95
# full: yes

# Each look costs the booting guest time, so looks are rare.
streams_again() {
    sleep 4
    is_streaming
}

guest_runs() { [[ $(host_run "virsh -q domstate $GUEST 2>/dev/null") == running ]]; }

reports_since() { (($(status '.domains[0].reports') > $1)); }

scenario() {
    local started host reports
    # a second try may find none
    guest_runs || guest_restore

    # as an administrator does it, and a guest that starts with the host
    guestd_stop
    host_run "printf '%s\n' '[host]' '$HOSTD_CONFIG' >/etc/vmfreq.conf && systemctl -q enable libvirtd &&
        virsh -q define $GUEST_DIR/guest.xml && virsh -q autostart $GUEST"
    host_run 'systemctl -q enable --now vmfreq-hostd'
    guest_run "echo '$GUESTD_CONFIG' >/etc/vmfreq.conf; systemctl -q enable --now vmfreq-guestd && sync"
    eventually 30 "the guest streams" is_streaming

    # the guest ends with the host, and starts with it
    started=$(now)
    host_reboot
    host=$(now)
    eventually 60 "libvirtd has started the guest" guest_runs
    eventually 600 "the guest streams again" streams_again
    measured "the host VM is back after $(((host - started) / 1000000)) s," \
        "the guest streams after $((($(now) - started) / 1000000)) s"

    guest_wait 120
    measured "the guest booted: $(guest_boot_times)"
    equal "vmfreq-hostd" "$(host_run 'systemctl is-active vmfreq-hostd')" active
    equal "vmfreq-guestd" "$(guest_run 'systemctl is-active vmfreq-guestd')" active
    reports=$(status '.domains[0].reports')
    load_start --cpus 1 --busy 60000
    eventually 30 "reports go on" reports_since "$reports"
    eventually 30 "vCPU 1 has a floor" floor_at_least 1 800
    load_stop
    eventually 30 "vCPU 1 is neutral again" floor_is 1 0
}

cleanup() {
    guest_run 'systemctl -q disable vmfreq-guestd' || true
    loop_cleanup || true
    host_run "systemctl -q disable vmfreq-hostd libvirtd; virsh -q undefine $GUEST; true"
}

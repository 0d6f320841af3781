# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: hostd restarted under a guest, libvirtd restarted, the guest started anew with the same CID: streaming again
# limit: 240
# order: 60

domain_id_is_not() { [[ $(status '.domains[0].id' 2>/dev/null) != "$1" ]]; }

# reports_since COUNT: more have come
reports_since() { (($(status '.domains[0].reports' 2>/dev/null || echo 0) > $1)); }

acts_on() {
    load_start --cpus 1 --busy 600000
    eventually 30 "$1: vCPU 1 has a floor" floor_at_least 1 800
    load_stop
    eventually 20 "$1: vCPU 1 is neutral again" floor_is 1 0
}

scenario() {
    local id cid reports started
    loop_start
    acts_on "at first"

    started=$(now)
    host_run 'systemctl restart vmfreq-hostd'
    eventually 30 "streaming after hostd's restart" is_streaming
    measured "streaming $((($(now) - started) / 1000)) ms after hostd's restart"
    acts_on "hostd restarted"

    reports=$(status '.domains[0].reports')
    host_run 'systemctl restart libvirtd && virsh -q version >/dev/null'
    eventually 30 "libvirt is reached again" libvirt_is_reached
    load_start --cpus 1 --busy 3000
    eventually 20 "reports after libvirtd's restart" reports_since "$reports"
    acts_on "libvirtd restarted"

    id=$(status '.domains[0].id')
    cid=$(status '.domains[0].cid')
    guest_stop
    eventually 20 "hostd sees that the guest has gone" no_domains
    guest_boot
    eventually 40 "streaming from the guest's second start" is_streaming
    equal "the CID" "$(status '.domains[0].cid')" "$cid"
    differ "the domain's id" "$(status '.domains[0].id')" "$id"
    acts_on "guest started anew"
}

libvirt_is_reached() { [[ $(status '.libvirt.connected') == true ]]; }
no_domains() { [[ $(status '.domains | length') == 0 ]]; }
cleanup() { loop_cleanup; }

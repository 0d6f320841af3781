# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: a CID that no domain has and a source port of 1024 or more are refused and counted; garbage closes that connection alone
# limit: 120
# order: 70

PORT=9213

scenario() {
    local text
    loop_start

    # the host VM itself calls, over vsock's loopback: CID 1 is nobody's
    text=$(host_run "echo hello | vsockcat -p 700 -t 10 1 $PORT")
    contains "what a stranger hears" "$text" "never a guest"
    equal "connections refused by CID" "$(status .refused.cid)" 1

    text=$(guest_run "echo hello | vsockcat -p 5000 -t 10 2 $PORT")
    contains "what a source port of 5000 hears" "$text" "below 1024"
    equal "connections refused by port" "$(status .refused.port)" 1

    text=$(guest_run "echo 'GET / HTTP/1.0' | vsockcat -p 600 -t 10 2 $PORT")
    contains "what garbage hears" "$text" "no frame"
    equal "connections closed for garbage" "$(status .closed.protocol)" 1

    # guestd's own connection, begun before all that, is the same
    equal "connections replaced" "$(status .closed.replaced)" 0
    equal "connections accepted" "$(status .accepted)" 4
    is_streaming || fail "the guest was disturbed"
    equal "hostd's restarts" "$(host_run 'systemctl show -P NRestarts vmfreq-hostd')" 0
}

cleanup() { loop_cleanup; }

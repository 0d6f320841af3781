# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: a steady load of 60 % for 30 s keeps its floor throughout; a paused guest loses it within the lease
# limit: 150
# order: 80

scenario() {
    local tid low paused gone
    loop_start
    tid=$(vcpu_tid 1)
    # 60 ms in each 100 ms
    load_start --cpus 1 --busy 60 --period 100 --seconds 60
    eventually 20 "vCPU 1 has a floor" floor_at_least 1 600
    sleep 2
    # the least of 30 s of looking, in the host VM
    low=$(host_run "least=1024; end=\$((SECONDS + 30))
        while ((SECONDS < end)); do
            value=\$(sed -n 's/^effective uclamp.min *: *//p' /proc/$tid/sched)
            ((value < least)) && least=\$value
            sleep 0.05
        done
        echo \$least")
    measured "lowest floor in 30 s of 60 % load: $low"
    at_least "the lowest floor" "$low" 400

    # paused: from virsh suspend to neutral
    paused=$(host_run "virsh -q suspend $GUEST; start=\$(date +%s%3N)
        for ((i = 0; i < 200; i++)); do
            value=\$(sed -n 's/^effective uclamp.min *: *//p' /proc/$tid/sched)
            ((value == 0)) && break
            sleep 0.05
        done
        echo \$((\$(date +%s%3N) - start)) \$value")
    gone=${paused#* }
    paused=${paused% *}
    host_run "virsh -q resume $GUEST"
    equal "the floor of a paused guest" "$gone" 0
    measured "a paused guest is neutral after $paused ms (lease 600 ms)"
    # a generous guard: the lease, the hold and the fall take 1 s on a machine that isn't emulated
    at_most "the time until it was neutral" "$paused" 5000
    eventually 20 "the floor is back after resume" floor_at_least 1 400
    load_stop
}
cleanup() {
    host_run "virsh -q resume $GUEST 2>/dev/null; true"
    loop_cleanup
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: a steady load of 60 % for 30 s keeps its floor throughout; a paused guest loses it within the lease
# limit: 150
# order: 80

scenario() {
    local tid looks least low all paused gone
    loop_start
    # without uclamp a floor is a CPU's: when the thread moves, its floor follows when hostd has seen it. Let it stay.
    host_has_uclamp || host_run "virsh -q vcpupin $GUEST 1 1"
    tid=$(vcpu_tid 1)
    # 60 ms in each 100 ms
    load_start --cpus 1 --busy 60 --period 100 --seconds 60
    eventually 20 "vCPU 1 has a floor" floor_at_least 1 600
    sleep 2
    # 30 s of looking, in the host VM: the least, and how many looks of how many were below 400
    looks=$(host_run "least=1024 low=0 all=0 end=\$((SECONDS + 30))
        while ((SECONDS < end)); do
            value=\$(floor-of $tid)
            ((value >= least)) || least=\$value
            ((value >= 400)) || low=\$((low + 1))
            all=\$((all + 1))
            sleep 0.05
        done
        echo \$least \$low \$all")
    read -r least low all <<<"$looks"
    measured "lowest floor in 30 s of 60 % load: $least, $low of $all looks below 400"
    at_most "the looks below 400" "$low" 0

    # paused: from virsh suspend to neutral
    paused=$(host_run "virsh -q suspend $GUEST; start=\$(date +%s%3N)
        for ((i = 0; i < 200; i++)); do
            value=\$(floor-of $tid)
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
    host_run "virsh -q resume $GUEST 2>/dev/null; virsh -q vcpupin $GUEST 1 0-3"
    loop_cleanup
}

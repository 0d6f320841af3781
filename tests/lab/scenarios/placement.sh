# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: with cores declared little and big, the busy vCPU sits on the big ones, the idle one on the little, inside the mask
# limit: 150
# order: 30

scenario() {
    local means
    # CPU 3 is outside of the domain's own mask
    host_run "virsh -q vcpupin $GUEST 0 0-2 && virsh -q vcpupin $GUEST 1 0-2"
    for means in affinity cgroup; do
        loop_start "placement = $means" 'core_classes = 0-1 < 2-3' 'placement_dwell = 200ms'
        eventually 20 "the idle vCPU 0 is on the little cores" cpus_are 0 0-1
        load_start --cpus 1 --busy 600000
        eventually 20 "the busy vCPU 1 is on the big core of its mask" cpus_are 1 2
        eventually 10 "the idle vCPU 0 is on the little cores" cpus_are 0 0-1
        equal "the CPU under vCPU 1" "$(status '.domains[0].vcpus[1].host_cpu')" 2
        load_stop
        eventually 20 "vCPU 1 is on the little cores again" cpus_are 1 0-1
        hostd_stop
        equal "vCPU 0's CPUs" "$(thread_cpus 0)" 0-2
        equal "vCPU 1's CPUs" "$(thread_cpus 1)" 0-2
    done
}
cleanup() {
    loop_cleanup
    host_run "virsh -q vcpupin $GUEST 0 0-3; virsh -q vcpupin $GUEST 1 0-3"
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: the lab itself: uclamp or none, P-states, libvirt, vsock from the guest with its CID, a load on one vCPU's thread
# limit: 60
# order: 0
# hosts: uclamp 6.1 separate
# archs: x86 arm64

# milliseconds that a thread has run
run_msec() { host_run "awk '{ print int(\$1 / 1000000) }' /proc/$1/schedstat"; }

scenario() {
    local text cid peer tid0 tid1 before0 before1 after0 after1

    # the host VM
    text=$(host_run 'ls /proc/sys/kernel/sched_util_clamp_min /sys/fs/cgroup/machine.slice/cpu.uclamp.min 2>/dev/null' || true)
    if host_has_uclamp; then
        contains "the host VM's uclamp" "$text" 'sched_util_clamp_min'
        contains "the host VM's uclamp by cgroup" "$text" 'cpu.uclamp.min'
    else
        equal "the host VM's uclamp" "$text" ''
    fi
    text=$(host_run 'cat /sys/devices/system/cpu/cpufreq/policy*/scaling_{driver,governor,min_freq,max_freq} | sort | uniq -c | xargs')
    equal "the host VM's cpufreq" "$text" "$(host_cpufreq)"
    equal "the host VM's clock" "$(host_run 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource')" "$HOST_CLOCK"
    equal libvirtd "$(host_run 'systemctl is-active libvirtd')" active
    cid=$(host_run "virsh dumpxml $GUEST | sed -n \"s/.*<cid auto='yes' address='\\([0-9]*\\)'.*/\\1/p\"")
    equal "the guest's CID" "$cid" 3

    # the guest, by itself
    guestd_stop
    text=$(guest_run 'ls /dev/vsock; nproc; cat /sys/devices/system/cpu/cpufreq/policy1/scaling_driver; ls /proc/pressure/cpu')
    equal "the guest" "$(xargs <<<"$text")" "/dev/vsock 2 $GUEST_DRIVER /proc/pressure/cpu"
    # shellcheck disable=SC2016 # for the guest's shell
    text=$(guest_run 'cd /sys/devices/system/cpu/cpufreq/policy1 && echo userspace >scaling_governor &&
        for khz in 600000 3000000; do echo $khz >scaling_setspeed; cat scaling_cur_freq; done; echo schedutil >scaling_governor')
    equal "the guest's speeds" "$(xargs <<<"$text")" '600000 3000000'

    # vsock, from a port that only root may have
    host_run 'vsockcat -t 30 -l 9999 >/run/peer 2>&1 & sleep 0.5'
    guest_run 'echo hello | vsockcat -p 700 -t 2 2 9999' || true
    peer=$(host_run 'cat /run/peer')
    equal "what came over vsock" "$(xargs <<<"$peer")" 'peer 3 700 hello'

    # a load on vCPU 1 is seen by the host as that thread's
    tid0=$(vcpu_tid 0)
    tid1=$(vcpu_tid 1)
    before0=$(run_msec "$tid0")
    before1=$(run_msec "$tid1")
    guest_run 'load --cpus 1 --busy 4000'
    after0=$(run_msec "$tid0")
    after1=$(run_msec "$tid1")
    measured "4 s of load on vCPU 1: $((after1 - before1)) ms of its thread, $((after0 - before0)) ms of the other"
    at_least "the time of vCPU 1's thread (ms)" $((after1 - before1)) 3000
    at_most "the time of vCPU 0's thread (ms)" $((after0 - before0)) 2000
}

cleanup() { guestd_start; }

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: the host VM's capacities and energy model, EAS where capacities differ, and a busy task that uclamp.max slows down
# limit: 60
# order: 1
# archs: arm64

# mhz_under CEILING: of CPU 2, after a task with that uclamp.max has been busy on it for a second
mhz_under() {
    host_run "cd /sys/devices/system/cpu/cpu2/cpufreq && { uclampset -M $1 load --cpus 2 --busy 2500 --quiet >/dev/null & } &&
        sleep 1.2 && cat scaling_cur_freq && wait" | awk '{ print $1 / 1000 }'
}

# burst_msec FLOOR: the mean time of bursts of 24 million cycles, 20 times a second on CPU 2, by a task with that uclamp.min
burst_msec() {
    host_run "uclampset -m $1 load --cpus 2 --mcycles 24 --period 50 --count 60 --quiet" |
        sed -n 's/^total .*mean \([0-9]*\).*/\1/p'
}

scenario() {
    local capacities domains aware eas=0 slow fast
    capacities=$(host_run 'cat /sys/devices/system/cpu/cpu[0-9]/cpu_capacity' | xargs)
    domains=$(host_run 'ls /sys/kernel/debug/energy_model' | xargs)
    case $LAB_HOST in
        separate) equal "the energy model" "$domains" 'cpu0 cpu1 cpu2 cpu3 cpu4' ;;
        biglittle) equal "the energy model" "$domains" 'cpu0 cpu2 cpu4' ;;
        shared) equal "the energy model" "$domains" 'cpu0 cpu4' ;;
    esac
    if [[ $LAB_HOST == biglittle ]]; then
        equal "the capacities" "$capacities" '300 300 1024 1024 1024 1024'
        eas=1
    else
        equal "the capacities" "$capacities" '1024 1024 1024 1024 1024 1024'
    fi
    # where it is impossible, the kernel gives no answer
    aware=$(host_run 'cat /proc/sys/kernel/sched_energy_aware')
    equal "energy-aware scheduling" "${aware:-0}" "$eas"
    host_run 'test -c /dev/kvm' || fail "there is no /dev/kvm"

    # from 512 of 1024 on, the next higher of its frequencies
    equal "a busy task's MHz" "$(mhz_under 1024)" 3000
    equal "a busy task's MHz with uclamp.max 512" "$(mhz_under 512)" 1500
    slow=$(burst_msec 0)
    fast=$(burst_msec 1024)
    measured "bursts that take 8 ms at 3 GHz take $slow ms, with uclamp.min 1024 $fast ms"
    at_least "a burst with uclamp.min 1024 (ms)" "$fast" 1
    at_least "a burst without uclamp.min (ms)" "$slow" $((fast + 1))
}

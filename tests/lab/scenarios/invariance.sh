# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: a load that takes the same time at any frequency: its util_avg in the guest is scaled by the frequency the guest has set
# limit: 90
# order: 2
# hosts: separate
# archs: arm64

# util_at KHZ: the mean util_avg of a task that runs 10 of 40 ms on the guest's CPU 1, which is set to that frequency
util_at() {
    guest_run "cd /sys/devices/system/cpu/cpufreq/policy1 && echo userspace >scaling_governor && echo $1 >scaling_setspeed &&
        { load --cpus 1 --busy 10 --period 40 --seconds 8 --quiet >/dev/null & } && sleep 3 &&
        for i in \$(seq 40); do sed -n 's/^se.avg.util_avg *: *//p' /proc/\$!/sched; sleep 0.1; done; wait" |
        awk '{ sum += $1 } END { printf "%.0f\n", sum / NR }'
}

scenario() {
    local high low
    guestd_stop
    high=$(util_at 3000000)
    low=$(util_at 600000)
    measured "util_avg of 25 % of the time: $high at 3 GHz, $low at 600 MHz"
    # a fifth of the frequency is a fifth of the utilization, more or less: sleeping and waking up takes time here, too
    at_least "util_avg at 3 GHz" "$high" 180
    at_least "the ratio of both, in tenths" $((high * 10 / (low > 0 ? low : 1))) 30
    at_most "the ratio of both, in tenths" $((high * 10 / (low > 0 ? low : 1))) 80
}

cleanup() {
    guest_run 'echo schedutil >/sys/devices/system/cpu/cpufreq/policy1/scaling_governor'
    guestd_start
}

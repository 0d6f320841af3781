# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: a kernel without uclamp: said in status and once in the log; floors by scaling_min_freq; all of it back, exit 0
# limit: 150
# order: 21
# hosts: 6.1

min_freqs() { host_run 'cat /sys/devices/system/cpu/cpufreq/policy*/scaling_min_freq | xargs'; }

# lines_since_start PATTERN: how many of hostd's lines say it
lines_since_start() {
    host_run "journalctl -q --no-pager -o cat _SYSTEMD_INVOCATION_ID=\$(systemctl show -P InvocationID vmfreq-hostd) |
        grep -c '$1'" || true
}

scenario() {
    local before
    before=$(min_freqs)
    loop_start
    equal "the actuator that hostd chose" "$(status .floor.actuator)" cpufreq
    contains "why" "$(status .floor.reason)" 'CONFIG_UCLAMP_TASK'
    equal "lines of the log that say so" "$(lines_since_start 'CONFIG_UCLAMP_TASK')" 1
    load_start --cpus 1 --busy 600000
    eventually 20 "vCPU 1 has a floor" floor_at_least 1 800
    differ "scaling_min_freq of the host's CPUs" "$(min_freqs)" "$before"
    hostd_stop
    equal "scaling_min_freq of the host's CPUs after hostd" "$(min_freqs)" "$before"
    equal "hostd's exit status" "$(host_run 'systemctl show -P ExecMainStatus vmfreq-hostd')" 0
    load_stop

    # what this kernel can't do is said, and is no reason to stop
    loop_start 'actuator = cgroup'
    equal "the actuator, asked for a cgroup's uclamp" "$(status .floor.actuator)" off
    contains "why" "$(status .floor.reason)" 'CONFIG_UCLAMP_TASK'
    is_streaming || fail "the guest is not heard"
}
cleanup() { loop_cleanup; }

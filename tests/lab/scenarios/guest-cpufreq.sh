# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: the guest's scaling_cur_freq follows what the host delivers; when guestd stops, even if it was killed before, governor and speed are as before
# limit: 180
# order: 40
# hosts: uclamp 6.1 separate
# archs: x86 arm64

GUEST_CPUFREQ='cd /sys/devices/system/cpu/cpufreq'

guest_governors() { guest_run "$GUEST_CPUFREQ; for p in policy*; do echo \$p \$(cat \$p/scaling_governor \$p/scaling_setspeed); done"; }

# guest_khz_is VCPU KHZ
guest_khz_is() { [[ $(guest_run "$GUEST_CPUFREQ; cat policy$1/scaling_cur_freq") == "$2" ]]; }

guestd_pid() { guest_run 'systemctl show -P MainPID vmfreq-guestd'; }

# guestd_is_another PID
guestd_is_another() {
    local pid
    pid=$(guestd_pid)
    [[ $pid != 0 && $pid != "$1" ]] && is_streaming
}

# host_khz KHZ: every CPU of the host runs at that
host_khz() {
    host_run "for p in /sys/devices/system/cpu/cpufreq/policy*; do
        echo userspace >\$p/scaling_governor && echo $1 >\$p/scaling_setspeed || exit 1; done"
}

scenario() {
    local before khz pid
    guestd_stop
    before=$(guest_governors)
    # without floors: under a governor that isn't schedutil they are by scaling_min_freq, and would overrule the frequency that is
    # set by hand below; and told to a hundredth, for the guest has more steps than FEEDBACK would have
    loop_start 'actuator = off' 'feedback_step = 1%'
    # a busy guest, so that its CPUs are looked at; the host's frequency is set by hand to have something to follow
    load_start --cpus 0,1 --hop 100 --busy 600000
    for khz in 1200000 3000000 600000; do
        host_khz "$khz"
        eventually 15 "the guest's CPU 0 shows $khz kHz" guest_khz_is 0 "$khz"
        eventually 15 "the guest's CPU 1 shows $khz kHz" guest_khz_is 1 "$khz"
    done
    pid=$(guestd_pid)
    equal "the guest's governor" "$(guest_run "$GUEST_CPUFREQ; cat policy0/scaling_governor")" userspace
    # a guestd that is killed leaves its speed behind, and the next one knows whose it is
    guest_run 'systemctl kill -s KILL vmfreq-guestd'
    eventually 30 "the guest streams again" guestd_is_another "$pid"
    # without the host: the maximum
    hostd_stop
    eventually 30 "the guest's CPU 0 is at its maximum without the host" guest_khz_is 0 3000000
    load_stop
    guestd_stop
    equal "the guest's governors" "$(guest_governors)" "$before"
}
cleanup() {
    loop_cleanup
    # shellcheck disable=SC2016 # for the host VM's shell
    host_run 'for p in /sys/devices/system/cpu/cpufreq/policy*; do echo schedutil >$p/scaling_governor; done'
}

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# vmfreq in the lab: hostd by systemctl in the host VM, guestd by systemctl in the nested guest, and what the scenarios and
# the demo ask about them. What the kernel does is read from the kernel (/proc, /sys), never from vmfreq's own word.

HOSTD_DROPIN=/run/systemd/system/vmfreq-hostd.service.d

# Under emulation a sample costs the guest 3 ms of CPU (docs/benchmarks.md), so it samples a fifth as often as by default. And
# its own housekeeping reads as load: what is below a step is none.
#
# On a host VM with 6.1 guestd goes by /proc. The guest's clock is the HPET there (guest.sh), so each look of the eBPF programs at
# it is an exit to QEMU, and with as many exits as that the emulation of SVM doesn't last: in two of three runs of the scenarios the
# guest lost a vCPU, or the host VM panicked on an interrupt that came right behind VMRUN, with the guest's GS. The host's part is tested
# there all the same; the programs run on the other one.
guestd_config() {
    printf '%s\n' '[guest]' 'interval = 50ms' 'window = 50ms' 'step = 10%'
    host_has_uclamp || echo 'signal = proc'
}
# and so a floor has to outlast the time between two samples
HOSTD_CONFIG='floor_hold = 300ms'

# hostd_start [--dry-run] [KEY=VALUE...]: restarts hostd with HOSTD_CONFIG and these keys in [host]
hostd_start() {
    local dropin="rm -rf $HOSTD_DROPIN" line
    if [[ ${1:-} == --dry-run ]]; then
        shift
        dropin="mkdir -p $HOSTD_DROPIN && printf '%s\n' '[Service]' ExecStart= \
            'ExecStart=/usr/sbin/vmfreq-hostd --dry-run' >$HOSTD_DROPIN/lab.conf"
    fi
    {
        echo '[host]'
        echo "$HOSTD_CONFIG"
        for line in "$@"; do
            echo "$line"
        done
    } | host_pipe 'cat >/etc/vmfreq.conf'
    host_run "$dropin; systemctl daemon-reload && systemctl reset-failed vmfreq-hostd 2>/dev/null
        systemctl restart vmfreq-hostd"
}

hostd_stop() { host_run 'systemctl stop vmfreq-hostd'; }

hostd_journal() { host_run "journalctl -q --no-pager -o cat -u vmfreq-hostd -n ${1:-20}"; }

# It goes on from one scenario to the next, as a guest's would.
guestd_start() { guest_run 'systemctl start vmfreq-guestd'; }

guestd_stop() { guest_run 'systemctl stop vmfreq-guestd'; }

guestd_log() { guest_run "journalctl -q --no-pager -o cat -u vmfreq-guestd -n ${1:-20}"; }

# status JQ_EXPRESSION: a part of what vmfreqctl says
status() { host_run 'vmfreqctl --json status' | jq -r "$1"; }

is_streaming() { [[ $(status '.domains[0].connected and (.domains[0].reports > 0)' 2>/dev/null) == true ]]; }

# both daemons up and talking; arguments are hostd_start's
loop_start() {
    hostd_start "$@"
    guestd_start
    eventually 30 "the guest streams" is_streaming
}

# ---- the kernel's word

# A program for the host VM that prints the floor under a thread, 0..1024, as the kernel has it: its effective uclamp.min, or
# on a kernel without uclamp scaling_min_freq of the CPU that it ran on last, 0 where that is the CPU's own minimum.
# shellcheck disable=SC2016 # for the host VM's shell
FLOOR_OF='#!/bin/bash
floor=$(sed -n "s/^effective uclamp.min *: *//p" "/proc/$1/sched")
if [[ -z $floor ]]; then
    stat=$(<"/proc/$1/stat")
    set -- ${stat##*) }
    cd "/sys/devices/system/cpu/cpu${37}/cpufreq" || exit
    read -r low <scaling_min_freq
    read -r least <cpuinfo_min_freq
    read -r most <cpuinfo_max_freq
    floor=$((low > least ? low * 1024 / most : 0))
fi
echo "$floor"'

floor_of_install() { host_pipe 'cat >/usr/local/bin/floor-of && chmod 755 /usr/local/bin/floor-of' <<<"$FLOOR_OF"; }

# effective_floor VCPU: the one under its thread
effective_floor() {
    local tid
    tid=$(vcpu_tid "$1")
    host_run "floor-of $tid"
}

# The means by which hostd sets floors on this host, when they are to be by thread.
floor_means() { if host_has_uclamp; then echo thread; else echo cpufreq; fi; }

floor_at_least() { (($(effective_floor "$1") >= $2)); }
floor_at_most() { (($(effective_floor "$1") <= $2)); }
floor_is() { (($(effective_floor "$1") == $2)); }

# thread_cpus VCPU: where its thread may run
thread_cpus() {
    local tid
    tid=$(vcpu_tid "$1")
    host_run "sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/$tid/status"
}

cpus_are() { [[ $(thread_cpus "$1") == "$2" ]]; }

# All that vmfreq may change, as one text to compare: each uclamp and cpuset file of the cgroups that hold domains, and of
# each thread of each QEMU the clamps that it asked for, the effective ones, and its CPUs.
# shellcheck disable=SC2016
listing() {
    host_run 'for file in $(find /sys/fs/cgroup/machine.slice /sys/fs/cgroup/*.slice -maxdepth 8 \
            \( -name cpu.uclamp.min -o -name cpu.uclamp.max -o -name cpuset.cpus \) 2>/dev/null | sort -u); do
            read -r value <$file || true
            echo "$file $value"
            value=
        done
        for task in /proc/$(cat /run/libvirt/qemu/'"$GUEST"'.pid)/task/*; do
            name=$(cat $task/comm)
            [[ $name == "CPU "* || $name == qemu* ]] || continue
            echo "$name" $(grep uclamp $task/sched | tr -s " ") $(grep Cpus_allowed_list $task/status)
        done
        for file in /sys/devices/system/cpu/cpufreq/policy*/scaling_{min,max}_freq; do
            echo "$file $(cat $file)"
        done'
}

# The lab's eye (watch.c), into the host VM. It isn't in the image: that would be made anew with each change of it.
watch_install() {
    "$ARCH_CC" -O2 -static -Wall -Wextra -Werror -o "$LAB_ROOM/watch" "$LAB_DIR/watch.c"
    host_put "$LAB_ROOM/watch" /usr/local/bin/watch-vcpus
}

# ---- load

# load_start ARGUMENT...: the lab's load program in the guest, in the background
load_start() { guest_run "setsid load $* </dev/null >/run/load.log 2>&1 & echo \$! >/run/load.pid"; }
# shellcheck disable=SC2016
load_stop() { guest_run 'kill $(cat /run/load.pid) 2>/dev/null; true'; }
load_log() { guest_run 'cat /run/load.log'; }

# What each scenario leaves: no load, hostd stopped, the default configuration.
loop_cleanup() {
    load_stop || true
    host_run "rm -rf $HOSTD_DROPIN; systemctl daemon-reload; systemctl stop vmfreq-hostd"
}

# ---- shared by scenarios

# floor_decided VCPU LEAST: what hostd would set, as it says itself (for --dry-run)
floor_decided() { (($(status ".domains[0].vcpus[$1].floor") >= $2)); }

# floor_follows_load ACTUATOR: load on guest vCPU 1 alone
floor_follows_load() {
    local started
    loop_start "actuator = $1"
    equal "the actuator" "$(status .floor.actuator)" "$1"
    eventually 20 "an idle guest has no floor (vCPU 1)" floor_is 1 0
    load_start --cpus 1 --busy 600000
    started=$(now)
    eventually 20 "vCPU 1's floor rises" floor_at_least 1 900
    measured "vCPU 1 has $(effective_floor 1) $((($(now) - started) / 1000)) ms after the command"
    # starting the load was work for vCPU 0, for a moment: after that it has no floor
    eventually 25 "vCPU 0 has no floor beside vCPU 1's" floor_at_most 0 300
    at_least "vCPU 1's floor, still" "$(effective_floor 1)" 900
    contains "vCPU 1's frequency" "$(status '.domains[0].vcpus[1].khz')" '^3000000$'
    load_stop
    started=$(now)
    eventually 20 "vCPU 1 is neutral again" floor_is 1 0
    measured "neutral $((($(now) - started) / 1000)) ms after its end"
}

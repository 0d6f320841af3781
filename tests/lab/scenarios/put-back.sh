# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: stop, and kill -9 then start and stop: every uclamp, cpuset and scaling_min_freq equals what it was before vmfreq started
# limit: 240
# order: 50

same_listing() {
    local after
    after=$(listing)
    [[ $after == "$1" ]] || fail "$2: not as before: $(diff <(echo "$1") <(echo "$after"))"
}

scenario() {
    local before pair floor placement pairs='thread,affinity cgroup,cgroup'
    host_has_uclamp || pairs='cpufreq,affinity cpufreq,cgroup'
    for pair in $pairs; do
        floor=${pair%,*}
        placement=${pair#*,}
        if [[ $placement == cgroup ]]; then
            # the kernel doesn't let an empty cpuset be emptied again: give libvirt's cpusets something to hold
            host_run "virsh -q vcpupin $GUEST 0 0-3 && virsh -q vcpupin $GUEST 1 0-3"
        fi
        before=$(listing)
        loop_start "actuator = $floor" "placement = $placement" 'core_classes = 0-1 < 2-3'
        load_start --cpus 1 --busy 600000
        eventually 20 "vCPU 1 has a floor" floor_at_least 1 800
        eventually 20 "vCPU 1 is placed" cpus_are 1 2-3
        hostd_stop
        same_listing "$before" "stopped, $floor and $placement"

        host_run 'systemctl start vmfreq-hostd'
        eventually 20 "vCPU 1 has a floor" floor_at_least 1 800
        eventually 20 "vCPU 1 is placed" cpus_are 1 2-3
        # killed with nobody to clean up behind it, and nobody to start it anew, as guestd would by calling its socket; what it
        # set stands
        host_run 'systemctl mask --runtime --now -q vmfreq-hostd.socket
            systemctl mask --runtime vmfreq-hostd >/dev/null 2>&1
            mkdir -p '"$HOSTD_DROPIN"' && printf "%s\n" "[Service]" Restart=no ExecStopPost= >'"$HOSTD_DROPIN"'/lab.conf
            systemctl unmask --runtime vmfreq-hostd >/dev/null 2>&1; systemctl daemon-reload
            systemctl kill -s KILL vmfreq-hostd; while systemctl -q is-active vmfreq-hostd; do sleep 0.1; done'
        # a floor by scaling_min_freq is a CPU's, and the thread may be on another by now
        ! host_has_uclamp || floor_at_least 1 800 || fail "kill -9 left no floor: there is nothing to put back"
        [[ $(listing) != "$before" ]] || fail "kill -9 left nothing to put back"
        load_stop
        # nothing else asks for a floor now: what is gone was put back
        host_run 'systemctl start vmfreq-hostd && systemctl stop vmfreq-hostd'
        same_listing "$before" "killed, started and stopped, $floor and $placement"

        # and by hand
        host_run 'systemctl start vmfreq-hostd'
        load_start --cpus 1 --busy 600000
        eventually 20 "vCPU 1 has a floor" floor_at_least 1 800
        host_run 'systemctl kill -s KILL vmfreq-hostd; while systemctl -q is-active vmfreq-hostd; do sleep 0.1; done
            vmfreq-hostd --restore'
        same_listing "$before" "killed, and vmfreq-hostd --restore, $floor and $placement"
        load_stop
        host_run 'systemctl unmask --runtime -q vmfreq-hostd.socket'
    done
}
cleanup() {
    loop_cleanup
    host_run 'systemctl unmask --runtime -q vmfreq-hostd.socket; vmfreq-hostd --restore'
}

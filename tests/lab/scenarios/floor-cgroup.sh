# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: the same with actuator = cgroup, where each cgroup above caps the one below
# limit: 180
# order: 21
# hosts: uclamp

scenario() {
    floor_follows_load cgroup
    # the thread itself was never asked for anything
    equal "the thread's own request" "$(host_run "awk '/^uclamp.min/ { print \$3 }' /proc/$(vcpu_tid 1)/sched")" 0
}
cleanup() { loop_cleanup; }

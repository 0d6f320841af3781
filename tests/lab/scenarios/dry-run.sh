# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: the control: the same load with --dry-run is seen and decided on, and has no effect
# limit: 90
# order: 22
# hosts: uclamp 6.1 separate
# archs: x86 arm64

scenario() {
    local before
    before=$(listing)
    loop_start --dry-run 'core_classes = 0-1 < 2-3'
    load_start --cpus 1 --busy 600000
    eventually 20 "vCPU 1's floor is decided on" floor_decided 1 800
    sleep 1
    equal "vCPU 1's floor" "$(effective_floor 1)" 0
    [[ $(listing) == "$before" ]] || fail "something was changed: $(diff <(echo "$before") <(listing))"
    load_stop
}
cleanup() { loop_cleanup; }

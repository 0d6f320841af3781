# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: load on guest vCPU 1 raises the effective uclamp.min of that thread alone, and it goes again (actuator = thread)
# limit: 120
# order: 20

scenario() { floor_follows_load thread; }
cleanup() { loop_cleanup; }

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# what: load on guest vCPU 1 raises the floor under that thread alone, and it goes again (uclamp by thread; scaling_min_freq)
# limit: 180
# order: 20
# hosts: uclamp 6.1 separate
# archs: x86 arm64

scenario() { floor_follows_load "$(floor_means)"; }
cleanup() { loop_cleanup; }

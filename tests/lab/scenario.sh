# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
cmd_test() { 
    lab_begin
    lab_up
    lab_install
    step_join guest-boot || exit 1
    guest_run "cat /proc/uptime"
}

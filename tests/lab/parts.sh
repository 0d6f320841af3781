# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every part of the lab, in the order in which they use each other. LAB_TOP and LAB_DIR are set by who sources this.

for LAB_PART in lib packages kernel rootfs guestfs build host guest vmfreq scenario demo bench bench-signal bench-cost dvfs; do
    # shellcheck source=/dev/null
    . "$LAB_DIR/$LAB_PART.sh"
done

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every part of the lab, in the order in which they use each other. LAB_TOP and LAB_DIR are set by who sources this.

# of the host VM and its guest: x86 or arm64
LAB_ARCH=${VMFREQ_LAB_ARCH:-x86}

# The architecture's come first of those that use them: they say what differs.
for LAB_PART in lib "arch-$LAB_ARCH" packages kernel "image-$LAB_ARCH" initramfs rootfs guestfs sysroot build \
    "host-$LAB_ARCH" host "guest-$LAB_ARCH" guest vmfreq scenario demo bench bench-signal bench-cost dvfs bench-dvfs; do
    # shellcheck source=/dev/null
    . "$LAB_DIR/$LAB_PART.sh"
done

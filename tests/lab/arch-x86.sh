# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The lab on x86: what the other parts ask of an architecture. arch-arm64.sh has the same names.

ARCH_FLAVOUR=cloud-amd64        # of the stock kernel
ARCH_KERNELS='uclamp 6.1'       # the kernels there are (kernel.sh)
ARCH_QEMU=qemu-system-x86       # Debian's package of the QEMU that runs the host VM
ARCH_TRIPLET=x86_64-linux-gnu
ARCH_CC=gcc
ARCH_INDEX=                     # what an index of packages is called by, where it isn't the build machine's
ARCH_CHECKS=yes                 # whether what is built runs on the build machine
# the limits of steps, in seconds
IMAGE_LIMIT=240
HOST_BOOT_LIMIT=90
GUEST_LIMIT=300

# build_prepare: BUILD_CONFIGURE is what configure is told beside what it is told everywhere
build_prepare() { BUILD_CONFIGURE=(); }

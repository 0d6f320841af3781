# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The lab on arm64: what the other parts ask of an architecture. arch-x86.sh has the same names. The build machine is another:
# the root file systems are made without running a program of theirs (image-arm64.sh), and vmfreq is cross-compiled.

ARCH_FLAVOUR=arm64 # the plain one: cloud-arm64 has no uclamp
ARCH_KERNELS=uclamp
ARCH_QEMU=qemu-system-arm
ARCH_TRIPLET=aarch64-linux-gnu
ARCH_CC=aarch64-linux-gnu-gcc
ARCH_INDEX=arm64
ARCH_CHECKS=
IMAGE_LIMIT=300
HOST_BOOT_LIMIT=240
GUEST_LIMIT=600

# build_prepare: BUILD_CONFIGURE is what configure is told beside what it is told everywhere
build_prepare() {
    local root usr
    sysroot_make
    root=$(<"$LAB_RUN/sysroot")
    usr=$root/usr
    # -isystem and -B: the compiler's package has headers and a libc of its own, older ones, and would take those first
    BUILD_CONFIGURE=(
        --host="$ARCH_TRIPLET" --with-bpf=yes
        "CC=$ARCH_CC --sysroot=$root -isystem $usr/include/$ARCH_TRIPLET -isystem $usr/include -B$usr/lib/$ARCH_TRIPLET"
        PKG_CONFIG_SYSROOT_DIR="$root" PKG_CONFIG_LIBDIR="$usr/lib/$ARCH_TRIPLET/pkgconfig:$usr/share/pkgconfig"
    )
}

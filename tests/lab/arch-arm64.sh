# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The lab on arm64: what the other parts ask of an architecture. arch-x86.sh has the same names. The build machine is another,
# so its programs run by qemu-user and binfmt_misc while the root file systems are made, and vmfreq is cross-compiled.

ARCH_FLAVOUR=arm64 # the plain one: cloud-arm64 has no uclamp
ARCH_KERNELS=uclamp
ARCH_QEMU=qemu-system-arm
ARCH_TRIPLET=aarch64-linux-gnu
ARCH_CC=aarch64-linux-gnu-gcc
ARCH_INDEX=arm64
ARCH_MMDEBSTRAP=(--arch=arm64)
ARCH_CHECKS=
IMAGE_LIMIT=900
HOST_BOOT_LIMIT=240
GUEST_LIMIT=600

# Its programs run here, by qemu-user: where nobody has told the kernel so, the lab does, in the words of Debian's package, as
# systemd does at boot. They have the flag F: the interpreter is opened at once, and so is there in every chroot.
arch_can_run() {
    local formats=/proc/sys/fs/binfmt_misc
    if arch-test arm64; then return; fi
    [[ -e $formats/register ]] || mount -t binfmt_misc binfmt_misc "$formats" ||
        die "no binfmt_misc: this kernel can't be told to run arm64 programs by qemu-user, and without them there is no root \
file system to boot. Run the lab where $formats can be mounted, as in a VM of its own"
    # two steps may do this at once, and one is enough
    cat /usr/lib/binfmt.d/qemu-aarch64.conf >"$formats/register" || true
    arch-test arm64 || die "arm64 programs don't run here, though $formats can be written: look at $formats/qemu-aarch64"
}

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

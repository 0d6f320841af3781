# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the images of x86 are made of, beside what is the same for each architecture (rootfs.sh, guestfs.sh).

IMAGE_PARTS="$LAB_DIR/ssdt.sh $LAB_DIR/initramfs.sh"
IMAGE_GUEST_DISK=/dev/vda
# For the disk and the lab's hand; the others are found by udev or by the kernel.
INITRAMFS_MODULES="virtio_pci virtio_blk virtio_console"
GUESTFS_MODULES="vmw_vsock_virtio_transport acpi-cpufreq cpufreq_userspace"

# The uncompressed kernel inside a bzImage: PVH entry, so nothing is to be decompressed under emulation. The offsets are
# those of the kernel's boot protocol (setup_sects, payload_offset, payload_length); the payload ends with its size.
kernel_uncompress() {
    local sectors offset length
    sectors=$(image_field "$1" 497 1)
    offset=$(image_field "$1" 584 4)
    length=$(image_field "$1" 588 4)
    image_part "$1" $(((sectors + 1) * 512 + offset)) $((length - 4)) | zstd -dcq
}

# image_kernel KERNEL: the newest one uncompressed, the other as it is: LZ4 is soon done, even here.
image_kernel() {
    if [[ $1 == uclamp ]]; then kernel_uncompress "$(kernel_image "$1")"; else cat "$(kernel_image "$1")"; fi
}

# image_debian ROOT PACKAGE...: what mmdebstrap made is of LAB_ARCH already
image_debian() { :; }

# image_parts DIR: a kernel for each LAB_HOST, and ssdt.aml
image_parts() {
    image_kernel uclamp >"$1/vmlinux"
    image_kernel 6.1 >"$1/vmlinuz-6.1"
    "$LAB_DIR/ssdt.sh" "$HOST_CPUS" >"$1/ssdt.asl"
    iasl -p "$1/ssdt" "$1/ssdt.asl"
    rm "$1/ssdt.asl"
}

# image_modules DIR ROOT
image_modules() {
    modules_all "$2" uclamp
    modules_all "$2" 6.1
    printf '%s\n' acpi-cpufreq vhost_vsock vsock_loopback virtio_net virtio_blk >"$2/etc/modules-load.d/lab.conf"
}

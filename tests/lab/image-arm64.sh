# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the images of arm64 are made of, beside what is the same for each architecture (rootfs.sh, guestfs.sh).

IMAGE_PARTS="$LAB_DIR/initramfs.sh $LAB_DIR/init.c"
IMAGE_GUEST_DISK=/dev/vdb
INITRAMFS_MODULES="virtio_pci virtio_blk virtio_console ext4"
GUESTFS_MODULES="vmw_vsock_virtio_transport cpufreq-dt cpufreq_userspace"
# Of the host VM's 4,000, those that it has a use for.
IMAGE_MODULES="virtio_net vhost_vsock vsock_loopback cpufreq-dt cpufreq_userspace cpufreq_performance cpufreq_powersave
    autofs4 tun fuse loop"

# image_kernel KERNEL: as it is unpacked
image_kernel() { cat "$(kernel_image "$1")"; }

# image_parts DIR: the kernel
image_parts() { image_kernel uclamp >"$1/vmlinux"; }

# image_modules DIR ROOT: those of the host VM, and its initramfs
image_modules() {
    # shellcheck disable=SC2086 # names of modules
    modules_only "$2" uclamp $INITRAMFS_MODULES $IMAGE_MODULES
    # shellcheck disable=SC2086
    initramfs_make "$1/host.cpio" "$2" uclamp $INITRAMFS_MODULES
    printf '%s\n' cpufreq-dt vhost_vsock vsock_loopback virtio_net >"$2/etc/modules-load.d/lab.conf"
    ln -sf /dev/null "$2/etc/systemd/system/systemd-binfmt.service"
    ln -sf /dev/null "$2/etc/systemd/system/proc-sys-fs-binfmt_misc.automount"
    # what systemd starts runs beside what is measured; libvirt gives QEMU all CPUs again
    mkdir -p "$2/etc/systemd/system.conf.d"
    printf '%s\n' '[Manager]' 'CPUAffinity=4 5' >"$2/etc/systemd/system.conf.d/lab.conf"
}

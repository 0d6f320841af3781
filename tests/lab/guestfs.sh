# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the nested guest boots from: a disk with Debian 12 and systemd, and an initramfs that finds it. It has real systemd,
# journald, udev and D-Bus, and nothing else: under emulation whatever starts at boot costs seconds, and whatever
# wakes up later reads as load. vmfreq is put there when the guest runs.

# Of what Debian starts at boot, this is kept.
GUESTFS_UNITS="systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service
    systemd-tmpfiles-setup.service dbus.service dbus.socket"
GUESTFS_RULES="50-udev-default.rules 80-drivers.rules 99-systemd.rules"

# What the guest's disk is made of.
guestfs_hash() {
    local packages lists kernels index
    packages=$(packages_in guest)
    lists=$(packages_lists guest)
    kernels=$(kernel_names)
    index=$(index_for bookworm)
    private_update "$index" >&2
    # shellcheck disable=SC2086
    hash_of "$LAB_DIR"/{rootfs,guestfs,initramfs,"image-$LAB_ARCH"}.sh "$LAB_DIR"/{init,agent,load,vsockcat}.c \
        "$LAB_DIR/lists/host-$LAB_ARCH.preferences" $lists "$kernels" "$(versions_of "$index" $packages)"
}

# cache/guestfs-HASH: disk, an ext4 image for the host VM with all that the guest is made of (guest.img; for each
# kernel vmlinux-KERNEL and guest-KERNEL.cpio); its path goes to run/guestfs
guestfs_make() {
    local dir work root tree name
    dir=$LAB_CACHE/${LAB_PREFIX}guestfs-$(guestfs_hash)
    if [[ -d $dir ]]; then
        note "cached"
    else
        work=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
        root=$work/root
        tree=$work/tree
        mkdir "$tree"
        guestfs_debootstrap "$root"
        for name in $GUEST_KERNELS; do
            image_kernel "$name" >"$tree/vmlinux-$name"
            # shellcheck disable=SC2086 # names of modules
            modules_only "$root" "$name" $INITRAMFS_MODULES $GUESTFS_MODULES
            # shellcheck disable=SC2086
            initramfs_make "$tree/guest-$name.cpio" "$root" "$name" $INITRAMFS_MODULES
        done
        guestfs_settle "$root"
        mke2fs -q -t ext4 -b 4096 -J size=4 -E lazy_itable_init=0,nodiscard -m 0 -d "$root" "$tree/guest.img" 320M
        mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=0,nodiscard -m 0 -d "$tree" "$work/disk" 1200M
        rm -rf "$root" "$tree"
        mv "$work" "$dir"
        note "made anew"
    fi
    touch "$dir"
    keep_newest guestfs
    echo "$dir" >"$LAB_RUN/guestfs"
}

guestfs_debootstrap() {
    rootfs_debian "$1" guest
    # perl comes along with adduser
    rm -rf "$1"/usr/share/perl* "$1/usr/lib/$ARCH_TRIPLET"/{perl,libperl.so.*} "$1"/var/lib/apt/lists/*
}

# From Debian's defaults to a machine that boots as fast as it can and does nothing by itself.
guestfs_settle() {
    local root=$1 etc=$1/etc/systemd
    guestfs_keep "$GUESTFS_UNITS" "$root"/{etc,lib}/systemd/system/*.wants/*
    guestfs_keep "$GUESTFS_RULES" "$root"/lib/udev/rules.d/*
    # what these would find is known: there is one disk, and it is complete
    rm -f "$root"/lib/systemd/system-generators/* "$root"/usr/lib/tmpfiles.d/*

    echo guest >"$root/etc/hostname"
    systemd-id128 new >"$root/etc/machine-id"
    ln -sf /lib/systemd/system/multi-user.target "$etc/system/default.target"
    ln -sf /dev/null "$etc/system/sys-fs-fuse-connections.mount"
    mkdir -p "$etc"/{system,journald}.conf.d "$etc/system/systemd-udev-trigger.service.d" "$etc/system/sysinit.target.wants"
    printf '%s\n' '[Manager]' DefaultTimeoutStartSec=10min DefaultTimeoutStopSec=5min >"$etc/system.conf.d/lab.conf"
    printf '%s\n' '[Journal]' Storage=volatile RuntimeMaxUse=8M >"$etc/journald.conf.d/lab.conf"
    # the other two hundred devices are of no use here
    printf '%s\n' '[Service]' ExecStart= 'ExecStart=-udevadm trigger --action=add --subsystem-match=virtio \
--subsystem-match=virtio-ports --subsystem-match=block --subsystem-match=platform --subsystem-match=cpu --subsystem-match=misc' \
        >"$etc/system/systemd-udev-trigger.service.d/lab.conf"
    # what confines these is not under test, and to set it up is most of their start
    sed -i -E '/^(SystemCall|Restrict|Protect|IPAddress|MemoryDeny|LockPersonality|DeviceAllow|DevicePolicy|PrivateMounts)/d' \
        "$root"/lib/systemd/system/systemd-{journald,udevd}.service
    sed -i '/^LoadCredential/d' "$root/lib/systemd/system/systemd-tmpfiles-setup.service"

    # before everything else, to be asked how the rest goes
    cat >"$etc/system/lab-agent.service" <<'UNIT'
[Unit]
Description=The lab's hand
DefaultDependencies=no

[Service]
ExecStart=/usr/local/sbin/agent /dev/vport0p1
# what it was asked to start in the background goes on without it
KillMode=process
Restart=always
UNIT
    ln -sf ../lab-agent.service "$etc/system/sysinit.target.wants/"
    rootfs_programs "$root/usr/local/sbin" agent
    rootfs_programs "$root/usr/local/bin" load vsockcat
}

# guestfs_keep NAMES FILE...: removes those files that have none of the names
guestfs_keep() {
    local names file
    names=" $(xargs <<<"$1") "
    shift
    for file in "$@"; do
        [[ $names == *" ${file##*/} "* ]] || rm -f "$file"
    done
}

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

# image_debian ROOT PACKAGE...: a Debian with these packages, of the build machine's architecture, becomes one of LAB_ARCH. What
# its maintainer scripts did (users, alternatives, units, modes) is the same on each: it is laid over the packages of LAB_ARCH,
# of which nothing is run. There is no ld.so.cache: ld.so finds all in its default directories.
image_debian() {
    local root=$1 twin=$1.twin mode owner name
    shift
    mv "$root" "$twin"
    # these are what mmdebstrap's variant minbase has
    packages_unpack "$(index_for bookworm)" "$root" '?essential' '?priority(required)' apt "$@"
    # what packages have is theirs, but for two directories that base-files makes links
    cat "$twin"/var/lib/dpkg/info/*.list |
        sed -E '\,^/var/(run|lock)$,d; s,^/(s?bin|lib(64)?)/,/usr&,; s,^,.,' | sort -u >"$twin.packaged"
    twin_find "$twin" ! -path './var/lib/dpkg/info/*' ! -path './var/lib/dpkg/status*' ! -path './var/lib/dpkg/triggers/*' \
        ! -path ./etc/ld.so.cache -printf '%p\n' | comm -23 - "$twin.packaged" |
        tar -C "$twin" -c --numeric-owner --no-recursion -T - | tar -C "$root" -x --numeric-owner
    for name in "$twin" "$root"; do
        twin_find "$name" ! -type l -printf '%m %U:%G %p\n' >"$name.modes"
    done
    comm -23 "$twin.modes" "$root.modes" | while read -r mode owner name; do
        [[ -e $root/$name ]] || continue
        chown "$owner" "$root/$name"
        chmod "$mode" "$root/$name"
    done
    rm -rf "$twin" "$twin.packaged" "$twin.modes" "$root.modes"
}

# twin_find ROOT ARGUMENT...: what find says in it, sorted
twin_find() { (cd "$1" && find . "${@:2}" | sort); }

# packages_unpack INDEX ROOT PACKAGE...: these and what they need, unpacked into ROOT. dpkg's database there says that they are
# installed, in which versions and with which files; it has no maintainer scripts, check sums or triggers.
packages_unpack() {
    local index=$1 root=$2 debs=$2.debs deb name dpkg=$2/var/lib/dpkg
    shift 2
    mkdir -p "$debs/partial" "$dpkg/info" "$root"/usr/{bin,sbin,lib}
    ln -s usr/{bin,sbin,lib} "$root"
    echo 1 >"$dpkg/info/format"
    private_apt "$index"
    # NoLocking: nothing is installed, and the folder is this call's alone
    apt-get "${APT[@]}" -y --no-install-recommends --download-only -o Debug::NoLocking=1 -o "Dir::Cache::archives=$debs" \
        -o "Dir::Etc::Preferences=$LAB_DIR/lists/host-$LAB_ARCH.preferences" install "$@"
    for deb in "$debs"/*.deb; do
        name=$(dpkg-deb -f "$deb" Package)
        [[ $(dpkg-deb -f "$deb" Multi-Arch) != same ]] || name+=:${index#*-}
        dpkg-deb --fsys-tarfile "$deb" | tar -C "$root" -xv --numeric-owner --keep-directory-symlink \
            --exclude='./usr/share/'{doc,man,locale,info}'/*' |
            sed -E 's,^\.,,; s,(.)/$,\1,; s,^/$,/.,' >"$dpkg/info/$name.list"
        dpkg-deb -f "$deb" | sed '$a Status: install ok installed\n' >>"$dpkg/status"
    done
    rm -rf "$debs"
}

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

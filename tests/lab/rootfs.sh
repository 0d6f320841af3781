# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The host VM's disk of LAB_ARCH (Debian 12, libvirt, QEMU, the stock kernels' modules). vmfreq itself is not in it: it is
# installed into the running VM, so that a change of vmfreq never costs a new image.

# What the image is made of.
rootfs_hash() {
    local packages lists kernels index
    packages=$(packages_in host)
    lists=$(packages_lists host)
    kernels=$(kernel_names)
    index=$(index_for bookworm)
    private_update "$index" >&2
    # shellcheck disable=SC2086
    hash_of "$LAB_DIR"/{rootfs,"image-$LAB_ARCH"}.sh "$LAB_DIR"/{guestctl,load,vsockcat}.c \
        "$LAB_DIR/lists/host-$LAB_ARCH.preferences" $lists $IMAGE_PARTS "$kernels" "$(versions_of "$index" $packages)"
}

# cache/image-HASH: host.img, key, and what image-ARCH.sh says beside them; its path goes to run/image
rootfs_make() {
    local dir work root parts
    dir=$LAB_CACHE/${LAB_PREFIX}image-$(rootfs_hash)
    if [[ -d $dir ]]; then
        note "cached"
    else
        work=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
        root=$work/root
        image_parts "$work" &
        parts=$!
        rootfs_debian "$root" host
        wait "$parts"
        rootfs_settle "$work" "$root"
        image_modules "$work" "$root"
        mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=0,nodiscard -m 0 -N 60000 -d "$root" "$work/host.img" 1400M
        rm -rf "$root"
        mv "$work" "$dir"
        note "made anew"
    fi
    touch "$dir"
    keep_newest image
    echo "$dir" >"$LAB_RUN/image"
}

# rootfs_debian ROOT NAME: Debian with the packages of that list
rootfs_debian() {
    local packages
    packages=$(packages_in "$2")
    rootfs_mmdebstrap "$1" "${packages// /,}"
    # shellcheck disable=SC2086
    image_debian "$1" $packages
}

# rootfs_mmdebstrap ROOT PACKAGE,PACKAGE...: of the build machine's architecture
rootfs_mmdebstrap() {
    sources_bookworm >"$1.list"
    # It has dash write to descriptors that are free, and dash knows none above 9: leave it some.
    mmdebstrap --variant=minbase --include="$2" \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --aptopt="Dir::Etc::Preferences \"$LAB_DIR/lists/host-$LAB_ARCH.preferences\"" --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        bookworm "$1" "$1.list" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    rm -f "$1.list"
}

# rootfs_programs DIR NAME...: the lab's own programs, static: they start sooner, and run in an initramfs too
rootfs_programs() {
    local dir=$1 program
    shift
    mkdir -p "$dir"
    for program in "$@"; do
        "$ARCH_CC" -O2 -s -static -Wall -Wextra -Werror -o "$dir/$program" "$LAB_DIR/$program.c"
    done
}

# From Debian's defaults to a machine that boots in ten seconds and does nothing by itself.
rootfs_settle() {
    local work=$1 root=$2 unit

    mkdir -p "$root/lib/modules" "$root/var/lib/vmfreq-lab" "$root/root/.ssh"

    # libvirtd and the daemons under test are started by the lab, the rest isn't wanted
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer logrotate.timer systemd-pstore.service libvirt-guests.service libvirtd.service virtlockd.socket \
        virtlockd-admin.socket machines.target remote-fs.target getty@tty1.service; do
        find "$root/etc/systemd/system" -path '*.wants/*' -name "$unit" -delete
    done
    echo vmfreq-host >"$root/etc/hostname"
    # the guest's files, the place of its channel and KVM: there before libvirtd starts a guest by itself. No mount unit, since
    # there is no udev here to tell systemd of the disk.
    cat >"$root/etc/systemd/system/lab-guest.service" <<UNIT
[Unit]
Description=The lab's guest
DefaultDependencies=no
After=systemd-tmpfiles-setup.service systemd-modules-load.service
Before=libvirtd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=mount $IMAGE_GUEST_DISK /var/lib/vmfreq-lab
ExecStart=mkdir -p -m 1777 /run/vmfreq-lab
ExecStart=-/bin/sh -c '[ -e /dev/kvm ] || modprobe -q kvm_amd || modprobe -q kvm_intel'
ExecStart=-chmod 666 /dev/kvm
UNIT

    # the way in: a network that leads nowhere but to this ssh, with a key made for this image
    cat >"$root/etc/systemd/system/lab-net.service" <<'UNIT'
[Unit]
Description=The lab's network
DefaultDependencies=no
After=systemd-modules-load.service
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'until ip link set eth0 up; do sleep 0.1; done; ip addr add 10.0.2.15/24 dev eth0'
UNIT
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -sf ../lab-{net,guest}.service "$root/etc/systemd/system/multi-user.target.wants/"
    ln -sf /lib/systemd/system/ssh.service "$root/etc/systemd/system/multi-user.target.wants/ssh.service"
    printf '%s\n' 'UsePAM no' 'UseDNS no' 'MaxSessions 100' >"$root/etc/ssh/sshd_config.d/lab.conf"
    ssh-keygen -q -t ed25519 -N '' -C vmfreq-lab -f "$work/key"
    cp "$work/key.pub" "$root/root/.ssh/authorized_keys"
    chmod 700 "$root/root/.ssh"

    rootfs_programs "$root/usr/local/bin" guestctl load vsockcat
}

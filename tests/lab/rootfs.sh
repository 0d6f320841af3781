# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The host VM's disk (Debian 12, libvirt, QEMU 10, the stock kernel's modules) and what the nested guest boots from.
# vmfreq itself is not in it: it is installed into the running VM, so that a change of vmfreq never costs a new image.

# What the image and the guest's initramfs are made of.
rootfs_hash() {
    local packages kernel oldkernel
    kernel=$(<"$LAB_RUN/kernel")
    oldkernel=$(<"$LAB_RUN/oldkernel")
    packages=$(packages_in host.packages)
    private_update bookworm >&2
    # shellcheck disable=SC2086
    hash_of "$LAB_DIR/rootfs.sh" "$LAB_DIR/ssdt.sh" "$LAB_DIR"/{agent,guestctl,load,vsockcat}.c "$LAB_DIR/lists/host.preferences" \
        "${kernel##*/}" "${oldkernel##*/}" "$(versions_of bookworm $packages)" "$(sha256sum </bin/busybox)"
}

# cache/image-HASH: host.img, a kernel for each LAB_HOST, ssdt.aml, key; its path goes to run/image
rootfs_make() {
    local dir work root programs kernel
    dir=$LAB_CACHE/image-$(rootfs_hash)
    if [[ -d $dir ]]; then
        note "cached"
    else
        work=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
        root=$work/root
        rootfs_programs "$work" &
        programs=$!
        rootfs_kernel "$work" &
        kernel=$!
        rootfs_debootstrap "$root"
        wait "$programs"
        wait "$kernel"
        rootfs_settle "$work" "$root"
        rootfs_guest "$work" "$root"
        cp "$work/vmlinux" "$root/var/lib/vmfreq-lab/"
        mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=0,nodiscard -m 0 -N 60000 -d "$root" "$work/host.img" 1400M
        rm -rf "$root" "${work:?}/bin"
        mv "$work" "$dir"
        note "made anew"
    fi
    touch "$dir"
    keep_newest image
    echo "$dir" >"$LAB_RUN/image"
}

rootfs_debootstrap() {
    local root=$1 packages
    packages=$(packages_in host.packages)
    sources_bookworm >"$root.list"
    # It has dash write to descriptors that are free, and dash knows none above 9: leave it some.
    mmdebstrap --variant=minbase --include="${packages// /,}" \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --aptopt="Dir::Etc::Preferences \"$LAB_DIR/lists/host.preferences\"" --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        bookworm "$root" "$root.list" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    rm -f "$root.list"
}

# The lab's own programs, static: they run in the guest, where there is next to nothing, and in the host VM.
rootfs_programs() {
    local program
    mkdir -p "$1/bin"
    for program in agent guestctl load vsockcat; do
        gcc -O2 -static -Wall -Wextra -Werror -o "$1/bin/$program" "$LAB_DIR/$program.c"
    done
}

rootfs_kernel() {
    local kernel oldkernel
    kernel=$(<"$LAB_RUN/kernel")
    oldkernel=$(<"$LAB_RUN/oldkernel")
    kernel_uncompress "$kernel/usr/lib/modules/$(<"$kernel/version")/vmlinuz" >"$1/vmlinux"
    cp "$oldkernel/boot/vmlinuz-$(<"$oldkernel/version")" "$1/vmlinuz-6.1"
    for cpus in 2 4; do
        "$LAB_DIR/ssdt.sh" "$cpus" >"$1/ssdt$cpus.asl"
        iasl -p "$1/ssdt$cpus" "$1/ssdt$cpus.asl"
        rm "$1/ssdt$cpus.asl"
    done
}

# From Debian's defaults to a machine that boots in ten seconds and does nothing by itself.
rootfs_settle() {
    local work=$1 root=$2 kernel version unit
    kernel=$(<"$LAB_RUN/kernel")
    version=$(<"$kernel/version")

    mkdir -p "$root/lib/modules" "$root/var/lib/vmfreq-lab" "$root/root/.ssh"
    cp -a "$kernel/usr/lib/modules/$version" "$root/lib/modules/"
    rm -f "$root/lib/modules/$version/vmlinuz"
    depmod -b "$root" "$version"
    kernel=$(<"$LAB_RUN/oldkernel")
    cp -a "$kernel/lib/modules/$(<"$kernel/version")" "$root/lib/modules/"
    depmod -b "$root" "$(<"$kernel/version")"
    printf '%s\n' acpi-cpufreq vhost_vsock vsock_loopback virtio_net >"$root/etc/modules-load.d/lab.conf"

    # libvirtd and the daemons under test are started by the lab, the rest isn't wanted
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer logrotate.timer systemd-pstore.service libvirt-guests.service libvirtd.service virtlockd.socket \
        virtlockd-admin.socket machines.target remote-fs.target getty@tty1.service; do
        find "$root/etc/systemd/system" -path '*.wants/*' -name "$unit" -delete
    done
    echo vmfreq-host >"$root/etc/hostname"

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
    ln -sf ../lab-net.service "$root/etc/systemd/system/multi-user.target.wants/lab-net.service"
    ln -sf /lib/systemd/system/ssh.service "$root/etc/systemd/system/multi-user.target.wants/ssh.service"
    printf '%s\n' 'UsePAM no' 'UseDNS no' 'MaxSessions 100' >"$root/etc/ssh/sshd_config.d/lab.conf"
    ssh-keygen -q -t ed25519 -N '' -C vmfreq-lab -f "$work/key"
    cp "$work/key.pub" "$root/root/.ssh/authorized_keys"
    chmod 700 "$root/root/.ssh"

    install -m 755 "$work"/bin/{guestctl,load,vsockcat} "$root/usr/local/bin/"
    cp "$work/ssdt2.aml" "$root/var/lib/vmfreq-lab/ssdt.aml"
}

# The nested guest's initramfs: busybox, the agent as PID 1, a few modules, and the libraries that guestd is linked with.
# guestd itself is put there when the guest runs.
rootfs_guest() {
    local work=$1 root=$2 guest=$1/guest version module name library
    version=$(<"$(<"$LAB_RUN/kernel")/version")
    mkdir -p "$guest"/{bin,dev,proc,sys,run,tmp,etc,usr/bin,usr/sbin,usr/local/sbin,usr/local/bin,lib/modules,lib64} \
        "$guest/var/tmp" "$guest/lib/x86_64-linux-gnu"
    install -m 755 /bin/busybox "$guest/bin/busybox"
    busybox --list | grep -vx busybox | while read -r name; do
        ln -sf busybox "$guest/bin/$name"
    done
    install -m 755 "$work/bin/agent" "$guest/init"
    install -m 755 "$work"/bin/{load,vsockcat} "$guest/usr/local/bin/"

    for module in vmw_vsock_virtio_transport acpi-cpufreq cpufreq_userspace; do
        modprobe -d "$root" -S "$version" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r module; do
        name=$(basename "$module" .xz)
        xz -dc "$module" >"$guest/lib/modules/$name"
        echo "$name" >>"$guest/lib/modules/order"
    done

    for library in libsystemd.so.0 libjson-c.so.5 libiniparser.so.1; do
        echo "/lib/x86_64-linux-gnu/$library"
        chroot "$root" ldd "/lib/x86_64-linux-gnu/$library" | awk '/=> \// { print $3 } $1 ~ /^\/lib64/ { print $1 }'
    done | sort -u | while read -r library; do
        cp -L "$root$library" "$guest$library"
    done

    (cd "$guest" && find . | cpio -o -H newc --quiet) >"$root/var/lib/vmfreq-lab/guest.cpio"
    rm -rf "$guest"
}

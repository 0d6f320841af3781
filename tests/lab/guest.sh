# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The nested guest: a libvirt domain in the host VM with two vCPUs, a vsock device and P-states of its own, the same stock
# kernel and a Debian with systemd (guestfs.sh). Under two levels of emulation it takes minutes to boot, under one it takes
# seconds. So it is booted once on the build machine, by the same QEMU and with the same devices, and what libvirt
# starts in the host VM is that guest, restored. Only its vsock device is plugged in there: no vsock on the build machine.

GUEST=guest
GUEST_DIR=/var/lib/vmfreq-lab
GUEST_SOCKET=/run/vmfreq-lab/guest.sock
GUEST_CONSOLE=/var/log/libvirt/qemu/guest-console.log
GUEST_MEMORY=256

# A quiet guest: its own housekeeping lands on its vCPU threads and reads as load.
GUEST_CMDLINE="console=ttyS0 quiet loglevel=4 mitigations=off nokaslr no_timer_check audit=0 tsc=reliable lpj=5000000 \
nowatchdog nmi_watchdog=0 rcu_nocbs=all skew_tick=1 cryptomgr.notests init_on_alloc=0 ipv6.disable=1 8250.nr_uarts=1 \
lsm=capability damon_stat.enabled=0"

GUEST_VSOCK="<vsock model='virtio'><cid auto='yes'/></vsock>"

# guest_xml [DEVICE]: the domain, with a device more than guest_prepare's
guest_xml() {
    cat <<XML
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>$GUEST</name>
  <uuid>8d1f0c52-6f0e-4f57-9d0a-76c0a1b6c0de</uuid>
  <memory unit='MiB'>$GUEST_MEMORY</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <loader type='rom'>/usr/share/qemu/qboot.rom</loader>
    <kernel>$GUEST_DIR/vmlinux</kernel>
    <initrd>$GUEST_DIR/guest.cpio</initrd>
    <cmdline>$GUEST_CMDLINE</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='custom' match='exact' check='none'>
    <model fallback='forbid'>Nehalem</model>
    <feature policy='require' name='rdrand'/>
  </cpu>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <controller type='virtio-serial' index='0'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </controller>
    <memballoon model='none'/>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='unsafe'/>
      <source file='$GUEST_DIR/guest.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
    </disk>
    <serial type='file'><source path='$GUEST_CONSOLE'/></serial>
    <channel type='unix'>
      <source mode='bind' path='$GUEST_SOCKET'/>
      <target type='virtio' name='lab'/>
      <address type='virtio-serial' controller='0' bus='0' port='1'/>
    </channel>
    ${1:-}
  </devices>
  <qemu:commandline>
    <qemu:arg value='-acpitable'/>
    <qemu:arg value='file=$GUEST_DIR/ssdt.aml'/>
  </qemu:commandline>
</domain>
XML
}

# ---- on the build machine

# What the booted guest depends on, beside its disk: if any of it differs, it is booted anew.
guest_hash() {
    hash_of "$(basename "$(<"$LAB_RUN/guestfs")")" "$LAB_DIR/guest.sh" "$(guest_tar | sha256sum)" "$GUESTD_CONFIG" \
        "$(dpkg-query -W -f '${Version}' qemu-system-x86)"
}

# cache/guest-HASH: disk, an ext4 image for the host VM with all that the guest is made of; its path goes to run/guest
guest_prepare() {
    local dir work
    dir=$LAB_CACHE/guest-$(guest_hash)
    if [[ -d $dir ]]; then
        note "cached"
    else
        work=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
        mkdir "$work/tree"
        cp --sparse=always "$(<"$LAB_RUN/guestfs")"/{guest.img,guest.cpio,vmlinux,ssdt.aml} "$work/tree/"
        guest_boot_here "$work"
        guest_xml "$GUEST_VSOCK" >"$work/tree/guest.xml"
        echo "$GUEST_VSOCK" >"$work/tree/vsock.xml"
        guest_save_file "$work/memory" >"$work/tree/guest.save"
        mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=0,nodiscard -m 0 -d "$work/tree" "$work/disk" 1200M
        rm -rf "$work"/{tree,memory,monitor}
        mv "$work" "$dir"
    fi
    touch "$dir"
    keep_newest guest
    echo "$dir" >"$LAB_RUN/guest"
}

# guest_boot_here WORK: boots WORK/tree/guest.img until all of it is up and quiet; then its memory goes to WORK/memory. The
# devices are those that libvirt makes of guest_xml, in the same places.
guest_boot_here() {
    local work=$1 tree=$1/tree socket=$LAB_RUN/guest-boot.sock console=$LAB_LOG/guest-boot-console.log pid
    local guestctl
    guestctl=$(<"$LAB_RUN/guestfs")/guestctl
    rm -f "$socket" "$console"
    mkfifo "$work/monitor"
    # both ends, or opening it would wait for QEMU
    exec 7<>"$work/monitor"
    qemu-system-x86_64 -nodefaults -no-user-config -display none -monitor stdio -M pc,usb=off -accel tcg \
        -cpu Nehalem,rdrand=on -smp 2,sockets=2,cores=1,threads=1 -m "$GUEST_MEMORY" -rtc base=utc \
        -bios /usr/share/qemu/qboot.rom -kernel "$tree/vmlinux" -initrd "$tree/guest.cpio" -append "$GUEST_CMDLINE" \
        -device virtio-serial-pci,id=virtio-serial0,bus=pci.0,addr=0x2 \
        -drive "file=$tree/guest.img,format=raw,if=none,id=disk,cache=unsafe,discard=unmap" \
        -device virtio-blk-pci,id=virtio-disk0,bus=pci.0,addr=0x3,drive=disk,bootindex=1,write-cache=on \
        -serial "file:$console" -chardev "socket,id=channel0,path=$socket,server=on,wait=off" \
        -device virtserialport,id=channel0,bus=virtio-serial0.0,nr=1,chardev=channel0,name=lab \
        -acpitable "file=$tree/ssdt.aml" <&7 >"$LAB_LOG/guest-boot-qemu.log" 2>&1 8>&- 9>&- &
    pid=$!
    until grep -q 'the agent is here' "$console" 2>/dev/null; do
        kill -0 "$pid" || die "QEMU ended: $(tail -n 2 "$LAB_LOG/guest-boot-qemu.log")"
        sleep 0.2
    done
    "$guestctl" -t 300 "$socket" run "$GUEST_IS_UP" || return
    note "booted: $("$guestctl" "$socket" run "$GUEST_TIMES" | guest_times)"
    # vmfreq, guestd by its unit, and the driver of the device to come: here all that takes two seconds, in the restored guest it
    # takes minutes. guestd calls in vain until it has the device.
    guest_tar >"$work/vmfreq.tar"
    "$guestctl" "$socket" put "$work/vmfreq.tar" /run/vmfreq.tar
    rm "$work/vmfreq.tar"
    "$guestctl" "$socket" run "$GUEST_INSTALL && modprobe vmw_vsock_virtio_transport && udevadm settle &&
        echo '$GUESTD_CONFIG' >/etc/vmfreq.conf && systemctl start vmfreq-guestd && systemctl is-active vmfreq-guestd && sync"
    printf '%s\n' stop "migrate file:$work/memory" quit >&7
    wait "$pid"
    exec 7>&-
}

# guest_save_file MEMORY: libvirt's own format of a saved domain (qemu_saveimage.h): a magic word, nineteen 32-bit words, the
# XML with its length, then QEMU's stream
guest_save_file() {
    local xml word
    xml=$(guest_xml)
    printf LibvirtQemudSave
    # version, length, was running, not compressed, no cookie, unused
    for word in 2 $((${#xml} + 1)) 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0; do
        # shellcheck disable=SC2059 # the format is the number's bytes
        printf "$(printf '\\x%02x' $((word & 255)) $((word >> 8 & 255)) $((word >> 16 & 255)) $((word >> 24)))"
    done
    printf '%s\0' "$xml"
    cat "$1"
}

# ---- in the host VM

# All units are started and none has failed, and udev has nothing left to do.
GUEST_IS_UP='systemctl is-system-running --wait && udevadm settle'
GUEST_INSTALL='tar -x --keep-directory-symlink --no-overwrite-dir -C / -f /run/vmfreq.tar && rm /run/vmfreq.tar &&
    systemctl daemon-reload && udevadm control --reload && systemctl reload dbus && vmfreq-guestd --version'
GUEST_TIMES='systemctl show -P UserspaceTimestampMonotonic -P FinishTimestampMonotonic'

# the answer to GUEST_TIMES in words
guest_times() { xargs | awk '{ printf "%.0f s to systemd, %.0f s from there\n", $1 / 1e6, ($2 - $1) / 1e6 }'; }

# guest_run [-t SECONDS] SCRIPT: in the guest; output and exit status (124: out of time, 125: the guest doesn't answer)
guest_run() {
    local seconds=60
    if [[ $1 == -t ]]; then
        seconds=$2
        shift 2
    fi
    host_run "guestctl -t $seconds $GUEST_SOCKET run $(printf '%q' "$*")"
}

# guest_put REMOTE_ON_HOST PATH: a file of the host VM's into the guest
guest_put() { host_run "guestctl $GUEST_SOCKET put '$1' '$2'"; }

guest_start() {
    host_libvirt
    guest_stop
    guest_restore
}

# A fresh disk over the one that the guest was booted from
GUEST_DISK="cd $GUEST_DIR && rm -f $GUEST_CONSOLE guest.qcow2 && qemu-img create -q -f qcow2 -b guest.img -F raw guest.qcow2"

# The guest as it was just after its boot, with its vsock device.
guest_restore() {
    local started=$EPOCHREALTIME
    host_run "$GUEST_DISK && virsh -q restore guest.save"
    echo "restored after $(since "$started") s"
    host_run "virsh -q attach-device $GUEST $GUEST_DIR/vsock.xml --live"
    echo "vsock plugged in after $(since "$started") s"
    guest_run -t 120 'until test -e /sys/bus/virtio/drivers/vmw_vsock_virtio_transport/virtio*; do sleep 0.5; done'
    echo "up after $(since "$started") s"
}

# guest_wait SECONDS: until a guest that boots is up. The waits are inside the VMs: each look from out here would cost the
# guest time.
guest_wait() {
    # shellcheck disable=SC2016 # for the host VM's shell
    host_run "for ((i = 0; i < $1; i++)); do
        read -r -d '' text <$GUEST_CONSOLE
        [[ \$text == *'the agent is here'* ]] && break
        virsh -q domstate $GUEST >/dev/null 2>&1 || exit 1
        sleep 1
    done"
    guest_run -t "$1" "$GUEST_IS_UP"
}

guest_boot_times() { guest_run "$GUEST_TIMES" | guest_times; }

guest_stop() { host_run "virsh -q destroy $GUEST 2>/dev/null; rm -f $GUEST_CONSOLE; true"; }

# vcpu_threads: "VCPU TID" for each vCPU, by the names that QEMU gives its threads
vcpu_threads() {
    # shellcheck disable=SC2016
    host_run 'pid=$(cat /run/libvirt/qemu/'"$GUEST"'.pid) && for task in /proc/$pid/task/*; do
        name=$(cat $task/comm)
        case $name in "CPU "*) name=${name#CPU }; echo "${name%%/*} ${task##*/}" ;; esac
    done | sort -n'
}

# vcpu_tid VCPU
vcpu_tid() { vcpu_threads | awk -v vcpu="$1" '$1 == vcpu { print $2 }'; }

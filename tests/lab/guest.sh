# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The nested guest: a libvirt domain in the host VM with two vCPUs, a vsock device and P-states of its own, the same stock
# kernel and an initramfs. Two levels of emulation: booting takes a minute and a half, so a booted guest is saved once, and
# starting it again later is a restore.

GUEST=guest
GUEST_DIR=/var/lib/vmfreq-lab
GUEST_SOCKET=/run/vmfreq-lab/guest.sock
GUEST_CONSOLE=/var/log/libvirt/qemu/guest-console.log

# A quiet guest: its own housekeeping lands on its vCPU threads and reads as load.
GUEST_CMDLINE="console=ttyS0 quiet loglevel=4 mitigations=off nokaslr no_timer_check audit=0 tsc=reliable lpj=5000000 \
nowatchdog nmi_watchdog=0 rcu_nocbs=all skew_tick=1 cryptomgr.notests init_on_alloc=0 ipv6.disable=1 8250.nr_uarts=1"

guest_xml() {
    cat <<XML
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>$GUEST</name>
  <memory unit='MiB'>256</memory>
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
    <memballoon model='none'/>
    <serial type='file'><source path='$GUEST_CONSOLE'/></serial>
    <channel type='unix'>
      <source mode='bind' path='$GUEST_SOCKET'/>
      <target type='virtio' name='lab'/>
    </channel>
    <vsock model='virtio'><cid auto='yes'/></vsock>
  </devices>
  <qemu:commandline>
    <qemu:arg value='-acpitable'/>
    <qemu:arg value='file=$GUEST_DIR/ssdt.aml'/>
  </qemu:commandline>
</domain>
XML
}

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

# What a saved guest depends on: if any of it differs, it is booted anew.
guest_hash() { hash_of "$(basename "$(<"$LAB_RUN/image")")" "$LAB_DIR/guest.sh" "$LAB_DIR/host.sh" "$LAB_ACCEL"; }

# A guest that is up: restored from the one that an earlier run kept, or booted.
guest_start() {
    host_libvirt
    if [[ -s $LAB_RUN/guest-disk ]] && guest_from_disk; then
        note "restored"
    else
        guest_boot
        note "booted"
    fi
}

guest_boot() {
    guest_xml | host_pipe "cat >$GUEST_DIR/guest.xml"
    guest_stop
    host_run "virsh -q create $GUEST_DIR/guest.xml"
    guest_wait 900
}

guest_from_disk() {
    host_run "mkdir -p /mnt && mount -o ro /dev/nvme1n1 /mnt && cp /mnt/guest.save $GUEST_DIR/ && umount /mnt"
    guest_restore
}

# The wait is inside the host VM: each look from out here would cost the guest time.
guest_wait() {
    # shellcheck disable=SC2016 # for the host VM's shell
    host_run "for ((i = 0; i < $1; i++)); do
        read -r -d '' text <$GUEST_CONSOLE
        [[ \$text == *'guest is up'* ]] && break
        virsh -q domstate $GUEST >/dev/null 2>&1 || exit 1
        sleep 1
    done
    guestctl -t 40 $GUEST_SOCKET run true"
}

guest_stop() { host_run "virsh -q destroy $GUEST 2>/dev/null; rm -f $GUEST_CONSOLE; true"; }

# The guest as it is just after boot, before anything ran in it, for guest_restore. The guest runs on.
guest_save() {
    if [[ -s $LAB_RUN/guest-disk ]] && host_run "test -s $GUEST_DIR/guest.save"; then
        note "it came from a saved one"
        return
    fi
    host_run "cd $GUEST_DIR && virsh -q save $GUEST guest.save.new && mv guest.save.new guest.save"
    guest_restore
}

# A save file isn't to be restored from twice, so a copy of it is.
guest_restore() {
    host_run "cd $GUEST_DIR && rm -f $GUEST_CONSOLE && cp guest.save guest.restored && virsh -q restore guest.restored &&
        rm -f guest.restored && guestctl -t 40 $GUEST_SOCKET run true"
}

# The saved guest as a disk image in the cache, for the next run's host VM.
guest_keep() {
    local work disk
    disk=$LAB_CACHE/guest-$(guest_hash)
    [[ ! -e $disk ]] || return 0
    work=$(mktemp -d "$LAB_CACHE/tmp.XXXXXX")
    mkdir "$work/tree"
    host_get "$GUEST_DIR/guest.save" "$work/tree/guest.save"
    mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=0,nodiscard -m 0 -d "$work/tree" "$work/disk" 400M
    mv "$work/disk" "$disk"
    rm -rf "$work"
    keep_newest guest
}

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

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The nested guest: a libvirt domain in the host VM with two vCPUs, a vsock device and P-states by vmfreqctl guest-acpi, a stock
# kernel and a Debian with systemd (guestfs.sh). It runs under KVM: QEMU emulates AMD's SVM for the host VM, so there is
# one level of emulation for the guest too, and it boots in 20 s instead of minutes.

GUEST=guest
GUEST_DIR=/var/lib/vmfreq-lab
GUEST_SOCKET=/run/vmfreq-lab/guest.sock
GUEST_CONSOLE=/var/log/libvirt/qemu/guest-console.log
GUEST_MEMORY=256
GUEST_VCPUS=2
# by vmfreqctl's own table; the host VM's are the same
GUEST_FREQUENCIES=600MHz,1.2GHz,1.8GHz,2.4GHz,3GHz
# What it can boot: "uclamp" is the newest stock kernel, "6.1" Debian 12's own. GUEST_KERNEL: which of them.
export GUEST_KERNELS='uclamp 6.1'
export GUEST_KERNEL=${GUEST_KERNEL:-uclamp}

# A quiet guest: its own housekeeping lands on its vCPU threads and reads as load.
GUEST_CMDLINE="console=ttyS0 quiet loglevel=4 mitigations=off nokaslr no_timer_check audit=0 tsc=reliable lpj=5000000 \
nowatchdog nmi_watchdog=0 rcu_nocbs=all skew_tick=1 cryptomgr.notests init_on_alloc=0 ipv6.disable=1 8250.nr_uarts=1 \
lsm=capability damon_stat.enabled=0 initcall_blacklist=cpufreq_register_tsc_scaling"

# The guest's clock is the TSC, whose rate it is told, for under emulation it can't find it out, and would take the HPET: each
# look at that costs a fraction of a millisecond. Not kvmclock: KVM on 6.1 takes the emulated CPU's frequency for the TSC's, and
# a guest with 6.1 hangs with it. On a host VM with 6.1 a guest that goes by the TSC hangs as well: KVM there takes the TSC's
# rate to change with the frequency, so it keeps the HPET.
guest_tsc() {
    [[ $LAB_HOST == uclamp ]] || return 0
    host_run "dmesg" | sed -n 's/.*tsc: \(Detected\|Refined TSC clocksource calibration:\) \([0-9]*\)\.\([0-9]*\) MHz.*/tsc_early_khz=\2\3/p' |
        tail -n 1
}

guest_xml() {
    cat <<XML
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>$GUEST</name>
  <uuid>8d1f0c52-6f0e-4f57-9d0a-76c0a1b6c0de</uuid>
  <memory unit='MiB'>$GUEST_MEMORY</memory>
  <vcpu>$GUEST_VCPUS</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <loader type='rom'>/usr/share/qemu/qboot.rom</loader>
    <kernel>$GUEST_DIR/vmlinux-$GUEST_KERNEL</kernel>
    <initrd>$GUEST_DIR/guest-$GUEST_KERNEL.cpio</initrd>
    <cmdline>$GUEST_CMDLINE $(guest_tsc)</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='host-passthrough'>
    <feature policy='disable' name='svm'/>
  </cpu>
  <clock offset='utc'><timer name='kvmclock' present='no'/></clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
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
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
      <address type='virtio-serial' controller='0' bus='0' port='2'/>
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

# guest_pipe PATH: standard input into a file of the guest's
guest_pipe() {
    host_pipe 'cat >/run/for-guest && chmod 644 /run/for-guest'
    guest_put /run/for-guest "$1"
}

# The guest with a fresh disk, and vmfreq installed in it as in the host VM, guestd enabled.
guest_start() {
    host_libvirt
    guest_stop
    guest_xml | host_pipe "cat >$GUEST_DIR/guest.xml"
    host_run "cd $GUEST_DIR && rm -f guest.qcow2 && qemu-img create -q -f qcow2 -b guest.img -F raw guest.qcow2 &&
        vmfreqctl guest-acpi --cpus=$GUEST_VCPUS --frequencies=$GUEST_FREQUENCIES --output=ssdt.aml && virsh -q define guest.xml"
    guest_boot
    note "booted: $(guest_boot_times)"
    guest_tar | guest_pipe /run/vmfreq.tar
    guest_run "$GUEST_INSTALL && echo '$(guestd_config)' >/etc/vmfreq.conf && systemctl -q enable --now vmfreq-guestd && sync"
}

guest_boot() {
    host_run "rm -f $GUEST_CONSOLE; virsh -q start $GUEST"
    guest_wait 120
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

# Whether its systemd still does what it is asked: a guest with one dead vCPU answers, but starts and stops nothing.
guest_works() { guest_run -t 15 'systemctl daemon-reload'; }

# Where each vCPU is: two looks tell one that goes round from one that stands.
guest_registers() {
    host_run "for i in 1 2; do virsh qemu-monitor-command $GUEST --hmp 'info registers -a' |
        grep -E '^(CPU|RIP|RAX|RSP|GS|CS|CR)|RIP='; sleep 1; done"
}

guest_stop() { host_run "virsh -q destroy $GUEST 2>/dev/null; true"; }

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

# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The nested guest of x86: its domain, and its P-states by vmfreqctl guest-acpi.

# What it can boot: "uclamp" is the newest stock kernel, "6.1" Debian 12's own.
GUEST_KERNELS='uclamp 6.1'
GUEST_MEMORY=256
GUEST_DRIVER=acpi-cpufreq
GUEST_WAIT=120 # seconds for it to boot

# what makes its P-states, in the host VM
guest_tables() { echo "vmfreqctl guest-acpi --cpus=$GUEST_VCPUS --frequencies=$GUEST_FREQUENCIES --output=ssdt.aml"; }

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
$(guest_channels)
  </devices>
  <qemu:commandline>
    <qemu:arg value='-acpitable'/>
    <qemu:arg value='file=$GUEST_DIR/ssdt.aml'/>
  </qemu:commandline>
</domain>
XML
}

# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The nested guest of arm64: its domain, and its operating points by vmfreqctl guest-dtb.

# What it can boot: the newest stock kernel.
GUEST_KERNELS=uclamp
GUEST_MEMORY=384
GUEST_DRIVER=cpufreq-dt
GUEST_WAIT=300 # seconds for it to boot

# A quiet guest: its own housekeeping lands on its vCPU threads and reads as load.
GUEST_CMDLINE="console=ttyAMA0 quiet loglevel=4 mitigations=off nokaslr audit=0 nowatchdog rcu_nocbs=all skew_tick=1 \
cryptomgr.notests init_on_alloc=0 ipv6.disable=1 lsm=capability damon_stat.enabled=0"

# what makes its device tree, in the host VM: QEMU's own for such a machine, with operating points
guest_tables() {
    echo "qemu-system-aarch64 -machine virt,gic-version=3,dumpdtb=qemu.dtb -accel kvm -cpu host -smp $GUEST_VCPUS \
        -m $GUEST_MEMORY -nodefaults -display none &&
        vmfreqctl guest-dtb --input=qemu.dtb --frequencies=$GUEST_FREQUENCIES --output=guest.dtb"
}

# Its vCPUs run on the CPUs that are measured, QEMU's other threads beside them.
guest_xml() {
    cat <<XML
<domain type='kvm'>
  <name>$GUEST</name>
  <uuid>8d1f0c52-6f0e-4f57-9d0a-76c0a1b6c0de</uuid>
  <memory unit='MiB'>$GUEST_MEMORY</memory>
  <vcpu cpuset='0-3'>$GUEST_VCPUS</vcpu>
  <cputune><emulatorpin cpuset='4-5'/></cputune>
  <os>
    <type arch='aarch64' machine='virt'>hvm</type>
    <kernel>$GUEST_DIR/vmlinux-$GUEST_KERNEL</kernel>
    <initrd>$GUEST_DIR/guest-$GUEST_KERNEL.cpio</initrd>
    <cmdline>$GUEST_CMDLINE</cmdline>
    <dtb>$GUEST_DIR/guest.dtb</dtb>
  </os>
  <features><gic version='3'/></features>
  <cpu mode='host-passthrough'/>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-aarch64</emulator>
    <controller type='usb' model='none'/>
    <controller type='virtio-serial' index='0'/>
    <memballoon model='none'/>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='unsafe'/>
      <source file='$GUEST_DIR/guest.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
$(guest_channels)
  </devices>
</domain>
XML
}

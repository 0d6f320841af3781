# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The host VM of arm64: four CPUs with operating points and an energy model (dts.sh), on which vCPUs and loads run, and two
# more for everything else: ssh, libvirtd, hostd, tracing. The CPUs' EL2 is emulated, so it has KVM for its guest.

# The host VMs that there are: all have the newest stock kernel, and differ in what their CPUs are (dts.sh).
LAB_HOSTS='separate biglittle shared'

# Of Armv8.2, so that KVM runs in EL2 itself (VHE), and without pointer authentication, which costs under emulation.
HOST_CPU=neoverse-n1
HOST_CPUS=6
HOST_MEMORY=4096
# Interrupts go to CPUs 4 and 5; the image has systemd and all that it starts run there, too.
HOST_CMDLINE="console=ttyAMA0 loglevel=5 net.ifnames=0 systemd.getty_auto=0 mitigations=off nokaslr audit=0 apparmor=0 \
cryptomgr.notests init_on_alloc=0 irqaffinity=4-5 nowatchdog"

HOST_CLOCK=arch_sys_counter
HOST_CAVEAT="The load is always busy, so that time is all that it needs: an emulated CPU doesn't slow down with its frequency"
# host_cpufreq: how often which values are among drivers, governors, least and highest frequencies of its policies
host_cpufreq() {
    case $LAB_HOST in
        separate) echo '6 3000000 4 600000 5 cpufreq-dt 5 schedutil' ;;
        biglittle) echo '1 2000000 3 3000000 1 400000 1 600000 3 cpufreq-dt 3 schedutil' ;;
        shared) echo '3 3000000 1 600000 2 cpufreq-dt 2 schedutil' ;;
    esac
}

host_has_uclamp() { :; }

# host_dtb FILE: QEMU's own device tree, of the machine that is going to be started, in the shape of LAB_HOST
host_dtb() {
    local base=$1.base
    "${HOST_MACHINE[@]}" -machine "dumpdtb=$base" -nodefaults -display none -accel tcg -smp "$HOST_CPUS" -m "$HOST_MEMORY"
    {
        dtc -q -I dtb -O dts "$base"
        "$LAB_DIR/dts.sh" "$LAB_HOST"
    } >"$1.dts"
    dtc -q -I dts -O dtb -o "$1" "$1.dts"
    rm "$base"
}

# host_machine IMAGE GUESTFS: QEMU and what it is told, but for what is the same for each architecture, in HOST_MACHINE
host_machine() {
    local dtb=$LAB_RUN/$LAB_HOST.dtb
    HOST_MACHINE=(qemu-system-aarch64 -M "virt,gic-version=3,virtualization=on" -cpu "$HOST_CPU")
    host_dtb "$dtb"
    # shellcheck disable=SC2054 # the commas are for QEMU
    HOST_MACHINE+=(
        -dtb "$dtb" -kernel "$1/vmlinux" -initrd "$1/host.cpio" -append "$HOST_CMDLINE"
        # the kernel names them in this order
        -device virtio-blk-pci,drive=root -device virtio-blk-pci,drive=guest
    )
}

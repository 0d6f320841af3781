# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # from and for the other parts
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The host VM of x86: four CPUs with P-states (ssdt.sh), each a frequency domain.

# The host VMs that there are: "uclamp" has the newest stock kernel, "6.1" has Debian 12's own, without uclamp.
LAB_HOSTS='uclamp 6.1'

# CPUs without AVX and fast-string flags: under emulation the plain instructions are the quicker ones. AMD's, since its SVM
# is what QEMU emulates: so the guest in it has KVM. (Not of family 15, which acpi-cpufreq refuses.)
HOST_CPU=max,vendor=AuthenticAMD,family=23,model=1,stepping=2,-avx,-avx2,-erms,-fsrm,+svm,+npt
# With KVM here, the guest's is nested.
[[ $LAB_ACCEL != kvm* ]] || HOST_CPU=host
# What emulation can't say of its clock: the TSC is steady, whatever the frequency is said to be. The last two words are for
# that: Linux 7.3 knows the first one, the second keeps 6.1 from giving up the TSC.
HOST_CMDLINE="console=ttyS0 root=/dev/nvme0n1 rw net.ifnames=0 systemd.getty_auto=0 mitigations=off nokaslr \
no_timer_check audit=0 apparmor=0 tsc=reliable lpj=5000000 cryptomgr.notests init_on_alloc=0 setcpuid=constant_tsc \
initcall_blacklist=cpufreq_register_tsc_scaling"
HOST_CPUS=4
HOST_MEMORY=4096

host_kernel() { if [[ $LAB_HOST == uclamp ]]; then echo vmlinux; else echo "vmlinuz-$LAB_HOST"; fi; }

HOST_CLOCK=tsc
HOST_CAVEAT="This CPU can't count its cycles (APERF/MPERF), so schedutil climbs fast from any frequency: elsewhere a cold thread \
is slow for longer"
# host_cpufreq: how often which values are among drivers, governors, least and highest frequencies of its policies
host_cpufreq() { echo '4 3000000 4 600000 4 acpi-cpufreq 4 schedutil'; }

host_has_uclamp() { [[ $LAB_HOST == uclamp ]]; }

# host_machine IMAGE GUESTFS: QEMU and what it is told, but for what is the same for each architecture, in HOST_MACHINE. The
# root disk alone is NVMe, whose driver is built in: of two the kernel names first which answers first.
host_machine() {
    # shellcheck disable=SC2054 # the commas are for QEMU
    HOST_MACHINE=(
        qemu-system-x86_64 -M q35 -cpu "$HOST_CPU" -acpitable "file=$1/ssdt.aml" -kernel "$1/$(host_kernel)"
        -append "$HOST_CMDLINE" -device nvme,drive=root,serial=root -device virtio-blk-pci,drive=guest
    )
}

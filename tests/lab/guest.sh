# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The nested guest: a libvirt domain in the host VM with two vCPUs, a vsock device and P-states by vmfreqctl, a stock kernel
# and a Debian with systemd (guestfs.sh). It runs under KVM, since QEMU emulates virtualization for the host VM: so there is
# one level of emulation for the guest too, and it boots in 20 s instead of minutes. What of it is the architecture's is in
# guest-ARCH.sh.

GUEST=guest
GUEST_DIR=/var/lib/vmfreq-lab
GUEST_SOCKET=/run/vmfreq-lab/guest.sock
GUEST_CONSOLE=/var/log/libvirt/qemu/guest-console.log
export GUEST_VCPUS=2
# by vmfreqctl's own table; the host VM's are the same
export GUEST_FREQUENCIES=600MHz,1.2GHz,1.8GHz,2.4GHz,3GHz
# GUEST_KERNEL: which of GUEST_KERNELS it boots
export GUEST_KERNELS
export GUEST_KERNEL=${GUEST_KERNEL:-${GUEST_KERNELS%% *}}

# The part of guest_xml() that is the same everywhere: what it says goes out by these.
guest_channels() {
    cat <<XML
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
        $(guest_tables) && virsh -q define guest.xml"
    guest_boot
    note "booted: $(guest_boot_times)"
    guest_tar | guest_pipe /run/vmfreq.tar
    guest_run "$GUEST_INSTALL && echo '$(guestd_config)' >/etc/vmfreq.conf && systemctl -q enable --now vmfreq-guestd && sync"
}

guest_boot() {
    host_run "rm -f $GUEST_CONSOLE; virsh -q start $GUEST"
    guest_wait "$GUEST_WAIT"
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
        grep -E '^(CPU|RIP|RAX|RSP|GS|CS|CR| PC)|RIP='; sleep 1; done"
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

# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The host VM: a machine under software emulation that plays the virtualization host. It has CPUs with P-states and no way
# out: its only network is the lab's ssh. No vsock device: nothing here opens AF_VSOCK on the build machine.

# LAB_HOST: which of them, the first unless told. What they are is the architecture's (host-ARCH.sh).
export LAB_HOSTS
LAB_HOST=${LAB_HOST:-${VMFREQ_LAB_HOST:-${LAB_HOSTS%% *}}}
export LAB_HOST

host_ssh() {
    local -
    set +x # a scenario's trace shows the call; ssh's own options are noise
    ssh -F none -i "$(<"$LAB_RUN/image")/key" -p "$(<"$LAB_RUN/port")" -o IdentitiesOnly=yes -o ControlMaster=auto \
        -o "ControlPath=$LAB_RUN/ssh" -o ControlPersist=3600 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=12 "$@" 8>&- 9>&-
}

# host_run SCRIPT: in the host VM as root; its output and its exit status (255: the VM can't be reached)
host_run() { host_ssh -T root@127.0.0.1 "$@" </dev/null; }

# host_pipe SCRIPT: the same, with this side's standard input
host_pipe() { host_ssh -T root@127.0.0.1 "$@"; }

# host_put LOCAL REMOTE · host_get REMOTE LOCAL: files
# shellcheck disable=SC2094 # not the same file
host_put() { host_pipe "cat >'$2.new' && chmod $(stat -c %a "$1") '$2.new' && mv '$2.new' '$2'" <"$1"; }
host_get() { host_run "cat '$1'" >"$2"; }

# host_unpack DIR: what is below DIR goes to the same places in the VM
host_unpack() { tar -C "$1" -c . | host_pipe 'tar -x --keep-directory-symlink --no-overwrite-dir -C /'; }

# A port that nobody listens on now; if somebody takes it first QEMU says so and the step is tried again.
free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 20000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

host_boot() {
    local image pid port tries guest console=$LAB_LOG/host-console-$LAB_HOST.log
    image=$(<"$LAB_RUN/image")
    host_end
    # what a first try printed is what explains it
    [[ ! -s $console ]] || mv "$console" "${console%.log}-before.log"
    port=$(free_port)
    echo "$port" >"$LAB_RUN/port"
    guest=$(<"$LAB_RUN/guestfs")
    host_machine "$image" "$guest"
    # a session of its own: it outlives this step, and a Ctrl-C at the terminal is the lab's to handle
    setsid "${HOST_MACHINE[@]}" -name vmfreq-host -nodefaults -no-user-config -display none \
        -accel "$LAB_ACCEL" -smp "$HOST_CPUS" -m "$HOST_MEMORY" -serial "file:$console" \
        -drive "file=$image/host.img,format=raw,if=none,id=root,snapshot=on,cache=unsafe" \
        -drive "file=$guest/disk,format=raw,if=none,id=guest,snapshot=on,cache=unsafe" \
        -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=net,romfile= \
        >"$LAB_LOG/host-qemu-$LAB_HOST.log" 2>&1 </dev/null 8>&- 9>&- &
    pid=$!
    remember_pid host "$pid"
    for ((tries = 0; tries < 500 * LAB_PATIENCE * HOST_BOOT_LIMIT / 90; tries++)); do
        kill -0 "$pid" 2>/dev/null || die "QEMU ended: $(tail -n 2 "$LAB_LOG/host-qemu-$LAB_HOST.log")"
        if grep -q 'OpenBSD Secure Shell server' "$console" 2>/dev/null && host_run true 2>/dev/null; then
            note "Linux $(host_run 'uname -r')"
            return
        fi
        sleep 0.3
    done
    return 1
}

host_boot_id() { host_run 'cat /proc/sys/kernel/random/boot_id'; }

# host_is_another BOOT_ID
host_is_another() {
    local id
    id=$(host_boot_id) && [[ $id != "$1" ]]
}

# By its own systemd, until it answers again. What was written to its disk is still there: QEMU is the same process.
host_reboot() {
    local id
    id=$(host_boot_id)
    host_run 'systemctl reboot' || true
    # the old connection would hear of its end too late
    host_ssh -O exit root@127.0.0.1 || true
    eventually 120 "the host VM is up again" host_is_another "$id"
}

# libvirtd answers only after it has asked QEMU what it can do: 6 s, so ask early
host_libvirt() {
    host_run 'systemctl start libvirtd && virsh version'
}

host_end() {
    [[ -S $LAB_RUN/ssh ]] && host_ssh -O exit root@127.0.0.1 >/dev/null 2>&1
    end_process host
}

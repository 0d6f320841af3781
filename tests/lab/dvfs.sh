# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab --arch arm64 bench dvfs: the programs that carry its load (dvfs/README.md has what they are).

DVFS_CROSS=${DVFS_CROSS:-aarch64-linux-gnu-} # Debian's gcc-aarch64-linux-gnu and libc6-dev-arm64-cross
DVFS_WARNINGS=(-std=gnu17 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes)

# dvfs_programs DIR: static arm64 programs (carrier, feeder, payload-run: one program with three names), the payload as
# an arm64 Image (payload) with its symbols (payload.elf)
dvfs_programs() {
    local dir=$1 name
    mkdir -p "$dir"
    dvfs_payload "$dir"
    (cd "$LAB_TOP" && "${DVFS_CROSS}gcc" "${DVFS_WARNINGS[@]}" -O2 -D_GNU_SOURCE -I. -static -pthread \
        -o "$dir/dvfs" tests/lab/dvfs/{main,carrier,clocks,dispatch,feed,feeder,hostside,lane,payload_run,timetable,tracer}.c \
        common/{parse,rootfs}.c)
    for name in carrier feeder payload-run; do
        ln -sf dvfs "$dir/$name"
    done
}

# No floating-point registers and no calls into libgcc: nothing of either is there.
dvfs_payload() {
    local dir=$1
    (cd "$LAB_TOP" && "${DVFS_CROSS}gcc" "${DVFS_WARNINGS[@]}" -O2 -g -I. -ffreestanding -nostdlib -static -no-pie -fno-pic \
        -fno-stack-protector -mgeneral-regs-only -mstrict-align -mno-outline-atomics -march=armv8-a \
        -Wl,--build-id=none -Wl,-z,noexecstack,--no-warn-rwx-segments -Wl,-T,tests/lab/dvfs/payload.ld \
        -o "$dir/payload.elf" tests/lab/dvfs/{entry.S,payload.c,machine.c,dispatch.c,lane.c})
    "${DVFS_CROSS}objcopy" -O binary "$dir/payload.elf" "$dir/payload"
}

# dvfs_domain NAME VCPUS PAYLOAD [CID [CPUS]]: its XML. Type qemu, or $DVFS_TYPE (kvm). With a CID a vsock device too, which
# the payload doesn't use: it is how hostd tells domains apart. With CPUS QEMU's other threads are kept to them ("4-5").
# vCPU i is pinned to CPU i, or to those in $DVFS_FLOATING ("0-3").
dvfs_domain() {
    local type=${DVFS_TYPE:-qemu} cpu="<cpu mode='host-passthrough'/>" pins='' vsock='' i
    [[ $type == kvm ]] || cpu="<cpu mode='custom'><model>cortex-a72</model></cpu>"
    [[ -z ${4:-} ]] || vsock="<vsock model='virtio'><cid auto='no' address='$4'/></vsock>"
    for ((i = 0; i < $2; i++)); do
        pins+="<vcpupin vcpu='$i' cpuset='${DVFS_FLOATING:-$i}'/>"
    done
    [[ -z ${5:-} ]] || pins+="<emulatorpin cpuset='$5'/>"
    sed -e "s,@NAME@,$1,; s,@VCPUS@,$2,; s|@PAYLOAD@|$3|; s,@TYPE@,$type,; s,@CPU@,$cpu,; s|@PINS@|$pins|; s,@VSOCK@,$vsock," \
        "$LAB_DIR/dvfs/domain.xml.in"
}

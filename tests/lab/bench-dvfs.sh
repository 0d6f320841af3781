# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab --arch arm64 bench dvfs: what a VM's loads come to natively, in a VM without vmfreq, with a vmfreq that only watches, and
# with one that acts, on a stock kernel with frequencies and an energy model (tests/bench/dvfs has the loads, tests/lab/dvfs what
# carries them). The settings take turns in each repeat. Runs are in $LAB_ROOM/dvfs/SHAPE, the tables in $LAB_ROOM/dvfs/SHAPE.md.
#
# The VM is a libvirt domain whose vCPUs run a bare-metal program. It can't send reports: hostd, a testing build, is sent those that
# guestd would send, over a socket that only such builds have.
#
# The domain's type is qemu, not kvm: its vCPU threads are QEMU's own all the same, and what a thread runs is the work and little
# else. With KVM in an emulated EL2 each wake-up of a vCPU costs its thread 1.9 ms more than the work that it was woken for
# (tests/lab/dvfs/README.md, which also has what emulating it once more costs), so that a task of 1.6 ms looks to the host like one
# of 3.5. Work is counted by frequency and running time, not by instructions.

export DVFS_LOADS=${DVFS_LOADS:-swap burst small ui storage inference}
DVFS_ALL_LOADS="$DVFS_LOADS burst-quiet pair beside steady"
# What the host does by itself beside them has a timetable of its own.
DVFS_HOST_LOADS=beside
# They ask for all of a CPU 0 of capacity 1024, to which vCPUs are pinned.
DVFS_PINNED_LOADS='pair beside'
# with --quick
DVFS_QUICK_LOADS='swap burst inference'
DVFS_QUICK_REPEATS=3
DVFS_SETTINGS='native without dry-run with'
# Threads that stand for vCPUs, without a VM: FACTS.md's row, for the load that it is of.
DVFS_THREADS_LOAD=swap
export DVFS_REPEATS=${DVFS_REPEATS:-10}
DVFS_SECONDS=5
DVFS_NAME=payload
DVFS_VCPUS=4
DVFS_CID=77
DVFS_SOCKET=/run/vmfreq/testing
DVFS_ON_HOST=/run/dvfs
# Where the host's scheduler has a choice of CPUs, what is asked is which it takes: the vCPUs float there, and natively each task
# would be bound to the CPU of its place, which is no answer.
DVFS_FLOATING_HOSTS=biglittle

dvfs_floats() { [[ " $DVFS_FLOATING_HOSTS " == *" $LAB_HOST "* ]]; }

dvfs_room() { echo "$LAB_ROOM/dvfs/$LAB_HOST"; }

# ---- getting ready

# The same build but for --enable-testing, beside the other.
dvfs_build() {
    dvfs_programs "$LAB_ROOM/dvfs-programs"
    # shellcheck disable=SC2034 # build.sh's
    LAB_BUILD=$LAB_ROOM/build-testing LAB_STAGE=$LAB_ROOM/stage-testing BUILD_MORE=(--enable-testing)
    build_make
    as_nobody make -C "$LAB_BUILD" tests/lab/report-send
}

dvfs_install() {
    local program
    # written once: what changes from run to run is in a file that costs no daemon-reload
    host_run "mkdir -p $HOSTD_DROPIN && printf '%s\n' '[Service]' 'EnvironmentFile=-/run/dvfs.environment' ExecStart= \
        'ExecStart=/usr/sbin/vmfreq-hostd --testing-listen=$DVFS_SOCKET \$DVFS_OPTION' >$HOSTD_DROPIN/lab.conf"
    host_unpack "$LAB_ROOM/stage-testing"
    for program in "$LAB_ROOM"/dvfs-programs/dvfs "$LAB_ROOM"/build-testing/tests/lab/report-send; do
        host_put "$program" "/usr/local/bin/${program##*/}"
    done
    host_put "$LAB_DIR/dvfs/run.sh" /usr/local/bin/dvfs-run
    host_run 'cd /usr/local/bin && ln -sf dvfs carrier && ln -sf dvfs feeder && ln -sf dvfs payload-run
        systemctl daemon-reload && systemctl reload dbus; systemctl stop vmfreq-hostd.socket vmfreq-hostd; rm -f /etc/vmfreq.conf
        mountpoint -q /sys/kernel/tracing || mount -t tracefs nodev /sys/kernel/tracing'
}

# The payload's domain, in the place of the guest: the CPUs are all its own.
dvfs_guest() {
    local DVFS_FLOATING=
    # shellcheck disable=SC2034 # dvfs.sh's
    ! dvfs_floats || DVFS_FLOATING=0-3
    guest_stop
    host_libvirt
    host_run "virsh -q destroy $DVFS_NAME 2>/dev/null; mkdir -p $GUEST_DIR"
    host_put "$LAB_ROOM/dvfs-programs/payload" "$GUEST_DIR/payload"
    dvfs_domain "$DVFS_NAME" "$DVFS_VCPUS" "$GUEST_DIR/payload" "$DVFS_CID" 4-5 | host_pipe "cat >/run/payload.xml"
    host_run "virsh -q create /run/payload.xml"
}

# dvfs_hostd [--dry-run]: hostd with its defaults, once it knows the domain
dvfs_hostd() {
    host_run "echo 'DVFS_OPTION=${1:-}' >/run/dvfs.environment; systemctl restart vmfreq-hostd"
    eventually 30 "hostd knows the domain" dvfs_is_known
}

dvfs_is_known() { [[ $(status ".domains[] | select(.name == \"$DVFS_NAME\") | .vcpus | length") == "$DVFS_VCPUS" ]]; }

# ---- a run

# dvfs_setting SETTING: hostd as it is in it
dvfs_setting() {
    case $1 in
        native | without) host_run 'systemctl stop vmfreq-hostd' ;;
        dry-run) dvfs_hostd --dry-run ;;
        with) dvfs_hostd ;;
    esac
}

# dvfs_pin ROOM TIMETABLE: the domain's vCPUs are where the timetable's lines pin say, the others on the CPUs of their numbers.
# hostd is stopped, and has put back what it changed, so that it sees them as they are when it starts. ROOM/pinned is there
# while a vCPU may be elsewhere.
dvfs_pin() {
    local vcpu cpu pins=
    for ((vcpu = 0; vcpu < DVFS_VCPUS; vcpu++)); do
        cpu=$(sed -n "s/^pin $vcpu //p" "$2")
        pins+="virsh -q vcpupin $DVFS_NAME $vcpu ${cpu:-$vcpu} && "
    done
    : >"$1/pinned"
    host_run "systemctl stop vmfreq-hostd && $pins true"
    grep -q '^pin ' "$2" || rm "$1/pinned"
}

# dvfs_run LOAD SETTING REPEAT: the repeat is the seed, so that all settings do the same
dvfs_run() {
    local load=$1 setting=$2 repeat=$3 room=$4 dir=$4/$1-$2-$3 carrier=payload arguments='' status=0
    case $setting in
        native) carrier=native ;;
        threads) carrier=threads setting=without ;;
    esac
    # a repeat that is tried again goes on where it was
    [[ ! -s $dir/figures ]] || return 0
    rm -rf "$dir"
    mkdir -p "$dir"
    cp "$room/plans/$load-$repeat.timetable" "$dir/plan.timetable"
    if [[ $setting == dry-run || $setting == with ]]; then
        arguments="$DVFS_SOCKET $DVFS_CID"
        cp "$room/plans/$load-$repeat.reports" "$dir/plan.reports"
    fi
    [[ ! -e $room/plans/$load.host ]] || cp "$room/plans/$load.host" "$dir/host.timetable"
    # also where an earlier run was ended before it could put them back
    if [[ -e $room/pinned ]] || grep -q '^pin ' "$dir/plan.timetable"; then dvfs_pin "$room" "$dir/plan.timetable"; fi
    dvfs_setting "$setting"
    host_run "rm -rf $DVFS_ON_HOST; mkdir -p $DVFS_ON_HOST"
    tar -C "$dir" -c . | host_pipe "tar -C $DVFS_ON_HOST -x"
    # where it isn't the domain's turn, it has nothing to say
    [[ $carrier == payload ]] || host_run "virsh -q suspend $DVFS_NAME"
    host_run "DVFS_DOMAIN=$DVFS_NAME DVFS_VCPUS=$DVFS_VCPUS dvfs-run $carrier $DVFS_ON_HOST $arguments" || status=$?
    # also after a run that failed: the next one may be the domain's
    [[ $carrier == payload ]] || host_run "virsh -q resume $DVFS_NAME"
    [[ ! -e $room/pinned ]] || dvfs_pin "$room" /dev/null
    ((status == 0)) || fail "$load $setting $repeat: $(host_run "tail -n 3 $DVFS_ON_HOST/*.log" | xargs)"
    host_run "tar -C $DVFS_ON_HOST -cz ." | tar -C "$dir" -xz
    printf '%s\n' "load $load" "seed $repeat" "carrier $carrier" "setting $setting" "repeat $repeat" "label emulated" \
        "kernel $(<"$room/kernel")" "shape $LAB_HOST" "capacities $(<"$dir/capacities")" "khz $(<"$dir/khz")" >"$dir/meta"
    /usr/bin/python3 -B "$LAB_TOP/tests/bench/dvfs/analyse.py" --reduce "$dir"
    # one trace of each is kept, to look at
    ((repeat == 1)) || rm -f "$dir"/*.trace
    rm -f "$dir"/{khz,capacities}
}

dvfs_plans() {
    local room=$1 load repeat bench=$LAB_TOP/tests/bench/dvfs
    mkdir -p "$room/plans"
    for load in $DVFS_LOADS; do
        [[ " $DVFS_HOST_LOADS " != *" $load "* ]] ||
            /usr/bin/python3 -B "$bench/timetable.py" --seconds "$DVFS_SECONDS" --host "$load" 1 >"$room/plans/$load.host"
        for ((repeat = 1; repeat <= DVFS_REPEATS; repeat++)); do
            /usr/bin/python3 -B "$bench/timetable.py" --seconds "$DVFS_SECONDS" "$load" "$repeat" >"$room/plans/$load-$repeat.timetable"
            /usr/bin/python3 -B "$bench/reports.py" "$room/plans/$load-$repeat.timetable" >"$room/plans/$load-$repeat.reports"
        done
    done
    host_run 'uname -r' | sed -E 's/^([0-9]+\.[0-9]+).*/\1/' >"$room/kernel"
}

# dvfs_settings LOAD REPEAT: each repeat begins with another, so that none always comes after the same
dvfs_settings() {
    local settings setting i
    read -r -a settings <<<"$DVFS_SETTINGS"
    [[ $1 != "$DVFS_THREADS_LOAD" ]] || settings+=(threads)
    for ((i = 0; i < ${#settings[@]}; i++)); do
        setting=${settings[(i + $2) % ${#settings[@]}]}
        ! dvfs_floats || [[ ! $setting =~ ^(native|threads)$ ]] || continue
        echo "$setting"
    done
}

# dvfs_repeat NUMBER: all loads in all settings, once
dvfs_repeat() {
    local load setting
    for load in $DVFS_LOADS; do
        for setting in $(dvfs_settings "$load" "$1"); do
            dvfs_run "$load" "$setting" "$1" "$(dvfs_room)"
        done
    done
}

dvfs_analyse() {
    local room plots run runs=()
    room=$(dvfs_room)
    for run in "$room"/*-[0-9]*; do
        if [[ -s $run/figures ]]; then runs+=("$run"); else echo "left out, for it failed: $run"; fi
    done
    plots=$room/plots
    mkdir -p "$plots"
    /usr/bin/python3 -B "$LAB_TOP/tests/bench/dvfs/analyse.py" --bars "$plots" "${runs[@]}" >"$room.md"
    note "$room.md"
}

bench_dvfs() {
    local repeat status=0 runs
    runs=$(($(wc -w <<<"$DVFS_LOADS") * $(wc -w <<<"$DVFS_SETTINGS")))
    step dvfs-build 300 dvfs_build || return
    step dvfs-install 60 dvfs_install || return
    step dvfs-guest 120 dvfs_guest || return
    rm -rf "$(dvfs_room)"
    step dvfs-plans 600 dvfs_plans "$(dvfs_room)" || return
    for ((repeat = 1; repeat <= DVFS_REPEATS; repeat++)); do
        step "dvfs-$LAB_HOST-$repeat" $((runs * (DVFS_SECONDS + 40))) dvfs_repeat "$repeat" || status=1
    done
    step dvfs-analyse 600 dvfs_analyse || status=1
    return "$status"
}

cmd_bench_dvfs() {
    local load loads=''
    [[ $LAB_ARCH == arm64 ]] || die "bench dvfs is of arm64 alone: its emulated CPUs are the ones whose load tracking follows frequency"
    while (($# > 0)); do
        case $1 in
            --quick)
                DVFS_LOADS=$DVFS_QUICK_LOADS
                DVFS_REPEATS=$DVFS_QUICK_REPEATS
                ;;
            --host)
                # shellcheck disable=SC2153 # host-arm64.sh's
                [[ " $LAB_HOSTS " == *" ${2:-?} "* ]] || die "--host: one of $LAB_HOSTS"
                LAB_HOST=$2
                shift
                ;;
            --load)
                [[ " $DVFS_ALL_LOADS " == *" ${2:-?} "* ]] || die "--load: one of $DVFS_ALL_LOADS"
                loads+=" $2"
                shift
                ;;
            --repeats)
                [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--repeats: how many?"
                DVFS_REPEATS=$2
                shift
                ;;
            *) die "bench dvfs: what is '$1'?" ;;
        esac
        shift
    done
    DVFS_LOADS=${loads:-$DVFS_LOADS}
    for load in $DVFS_PINNED_LOADS; do
        ! dvfs_floats || [[ " $DVFS_LOADS " != *" $load "* ]] || die "--load $load isn't of $LAB_HOST: CPU 0 is a small one there"
    done
    lab_begin
    lab_up_host || exit 1
    bench_dvfs
}

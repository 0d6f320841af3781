# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What every part of the lab stands on: where things are kept, steps with a limit and one retry, and cleaning up by pid.
# Sourced by ../../lab.

LAB_STATE=${VMFREQ_LAB_STATE:-/var/tmp/vmfreq-lab}    # this run: logs, sockets, the build; `lab clean` removes it
LAB_CACHE=${VMFREQ_LAB_CACHE:-/var/cache/vmfreq-lab}  # downloads and images; `lab clean --cache` removes it
# shellcheck disable=SC2034 # for host.sh
LAB_ACCEL=${VMFREQ_LAB_ACCEL:-tcg,thread=multi}       # QEMU's -accel for the host VM: "kvm" where you have it
LAB_PATIENCE=${VMFREQ_LAB_PATIENCE:-1}                # every limit is multiplied by it, for a machine that is busy
# What is arm64's stands beside x86's: in a directory of the state, and under names of its own in the cache.
LAB_ROOM=$LAB_STATE
LAB_PREFIX=
if [[ $LAB_ARCH != x86 ]]; then
    LAB_ROOM=$LAB_STATE/$LAB_ARCH
    LAB_PREFIX=$LAB_ARCH-
fi
LAB_LOG=$LAB_ROOM/log
LAB_RUN=$LAB_ROOM/run
LAB_STARTED=${LAB_STARTED:-$EPOCHREALTIME}
export VMFREQ_LAB_STATE=$LAB_STATE VMFREQ_LAB_CACHE=$LAB_CACHE VMFREQ_LAB_ARCH=$LAB_ARCH LAB_STARTED

# ---- time and words

# microseconds
now() { echo "${EPOCHREALTIME/./}"; }

# seconds with one decimal since a value of $EPOCHREALTIME
since() {
    local tenths=$(((${EPOCHREALTIME/./} - ${1/./}) / 100000))
    echo "$((tenths / 10)).$((tenths % 10))"
}

clock() {
    local s=$(((${EPOCHREALTIME/./} - ${LAB_STARTED/./}) / 1000000))
    printf '%3d:%02d' $((s / 60)) $((s % 60))
}

say() { printf '%s  %s\n' "$(clock)" "$*"; }

die() {
    printf 'lab: %s\n' "$*" >&2
    exit 1
}

# ---- what things are made of

# hash_of WORD...: sixteen hex digits; a word that names a file stands for its text
hash_of() {
    local word
    for word in "$@"; do
        if [[ -f $word ]]; then cat "$word"; else printf '%s\n' "$word"; fi
    done | sha256sum | cut -c1-16
}

# keep_newest NAME: of the cached things called NAME-HASH, all but the two used last are removed
keep_newest() {
    local old
    # shellcheck disable=SC2012 # the names are ours: no spaces
    ls -dt "$LAB_CACHE/$LAB_PREFIX$1"-* 2>/dev/null | tail -n +3 | while read -r old; do
        rm -rf "$old"
    done
}

# remove_trees PATH...: with all that is in them. A root file system in the making that was killed may still have this machine's
# /proc, /sys and /dev/shm mounted in it: they are let go of first, and never entered.
remove_trees() {
    local tree place
    for tree in "$@"; do
        [[ -e $tree ]] || continue
        awk -v tree="$(realpath "$tree")/" 'index($2, tree) == 1 { print $2 }' /proc/self/mounts | tac | while read -r place; do
            umount "$place" || umount -l "$place"
        done
        rm -rf --one-file-system "$tree"
    done
}

# ---- processes

# A pid alone can be somebody else's by now: remember when it started, too.
start_time() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086 # split on purpose
    set -- $stat
    echo "${20}"
}

remember_pid() { echo "$2 $(start_time "$2")" >"$LAB_RUN/$1.pid"; }

# alive NAME: prints the pid
alive() {
    local pid started
    read -r pid started 2>/dev/null <"$LAB_RUN/$1.pid" || return 1
    [[ $(start_time "$pid") == "$started" ]] && echo "$pid"
}

end_process() {
    local pid tries
    pid=$(alive "$1") || return 0
    kill "$pid" 2>/dev/null || return 0
    for ((tries = 0; tries < 50; tries++)); do
        alive "$1" >/dev/null || return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
}

# in_time SECONDS FUNCTION...: runs it by run.sh in a process group of its own, ends the group when time is up, and then
# OVERTIME isn't empty
in_time() {
    local limit=$(($1 * LAB_PATIENCE)) pid status=0 end
    shift
    OVERTIME=
    set -m
    "$LAB_DIR/run.sh" "$@" </dev/null &
    pid=$!
    set +m
    : >"$LAB_RUN/group.$pid"
    end=$(($(now) + limit * 1000000))
    while kill -0 "$pid" 2>/dev/null; do
        if (($(now) > end)); then
            kill -TERM -- "-$pid" 2>/dev/null || true
            sleep 0.5
            kill -KILL -- "-$pid" 2>/dev/null || true
            OVERTIME=yes
        fi
        sleep 0.1
    done
    wait "$pid" || status=$?
    rm -f "$LAB_RUN/group.$pid"
    return "$status"
}

# ---- steps

# step NAME LIMIT COMMAND...: its output goes to log/NAME.log; what it says by `note` stands in its line
step() {
    local name=$1 limit=$2 attempt status note started
    local -x STEP=$1
    shift 2
    for attempt in 1 2; do
        started=$EPOCHREALTIME
        status=0
        : >"$LAB_RUN/$name.note"
        say "$(printf '%-18s ...          limit %d s' "$name" $((limit * LAB_PATIENCE)))"
        in_time "$limit" "$@" >>"$LAB_LOG/$name.log" 2>&1 || status=$?
        note=$(<"$LAB_RUN/$name.note")
        if ((status == 0)); then
            say "$(printf '%-18s ok %7s s  %s' "$name" "$(since "$started")" "$note")"
            printf '%s %s %s\n' "$name" "$(since "$started")" "$attempt" >>"$LAB_LOG/steps"
            return 0
        fi
        if [[ -n $OVERTIME ]]; then note="out of time"; else note="failed ($status)"; fi
        say "$(printf '%-18s %s after %s s: %s' "$name" "$note" "$(since "$started")" "$LAB_LOG/$name.log")"
        tail -n 5 "$LAB_LOG/$name.log" | sed 's/^/            | /'
        ((attempt == 2)) || say "$(printf '%-18s trying once more' "$name")"
    done
    show_logs
    return 1
}

# note WORDS...: for the line of the step that runs this
note() { echo "$*" >"$LAB_RUN/${STEP:-none}.note"; }

# Steps that run beside others: step_start takes what step takes, step_join waits for all those named.
declare -A step_pids=()

step_start() {
    step "$@" &
    step_pids[$1]=$!
}

step_join() {
    local name status=0
    for name in "$@"; do
        wait "${step_pids[$name]}" || status=1
        unset "step_pids[$name]"
    done
    return "$status"
}

show_logs() {
    local log
    say "logs and consoles are kept:"
    for log in "$LAB_LOG"/*.log; do
        [[ -s $log ]] && echo "            $log"
    done
}

# ---- beginning and end

lab_begin() {
    ((EUID == 0)) || die "needs root: it installs packages and makes a root file system"
    mkdir -p "$LAB_ROOM" "$LAB_CACHE"
    exec 8>"$LAB_STATE/lock" 9>"$LAB_CACHE/lock"
    if ! flock -n 8 || ! flock -n 9; then
        die "another lab is running with $LAB_STATE or $LAB_CACHE: wait for it, or set VMFREQ_LAB_STATE and VMFREQ_LAB_CACHE"
    fi
    rm -rf "$LAB_ROOM/log.old" "$LAB_RUN"
    [[ -d $LAB_LOG ]] && mv "$LAB_LOG" "$LAB_ROOM/log.old"
    remove_trees "$LAB_CACHE"/tmp.*
    mkdir -p "$LAB_LOG" "$LAB_RUN"
    trap lab_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

lab_end() {
    local status=$? file pid
    trap - EXIT
    trap '' INT TERM HUP
    for file in "$LAB_RUN"/group.*; do
        [[ -e $file ]] || continue
        pid=${file##*.}
        kill -TERM -- "-$pid" 2>/dev/null || true
    done
    for pid in "${step_pids[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    host_end
    exit "$status"
}

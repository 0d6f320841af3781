# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab test: make check, then the scenarios. A scenario is a file scenarios/NAME.sh that begins with
#
#   # what: one line for the reader        # limit: seconds
#   # order: a number, 50 unless given     # full: yes   (only with --full)
#   # hosts: uclamp                        (only on these of LAB_HOSTS; on each unless given)
#   # archs: x86 arm64                     (on x86 alone unless given)
#
# and defines scenario(), and cleanup() if it leaves something behind: cleanup always runs. Each runs in a process of its
# own with errexit on, and ends by its end (passed), by fail or skip, or by running out of time.

# ---- for use in scenarios

fail() {
    note "$*"
    echo "FAILED: $*"
    exit 1
}

skip() {
    note "$*"
    exit 77
}

# measured WORDS...: figures that stand in the scenario's line, also when it fails later
measured() {
    echo "measured: $*"
    printf '%s; ' "$*" >>"$LAB_RUN/$STEP.measured"
}

# equal WHAT GOT WANTED
equal() { [[ $2 == "$3" ]] || fail "$1 is '$2', not '$3'"; }

differ() { [[ $2 != "$3" ]] || fail "$1 is still '$2'"; }

# at_least WHAT GOT WANTED · at_most WHAT GOT WANTED: integers
at_least() { [[ $2 =~ ^-?[0-9]+$ && $2 -ge $3 ]] || fail "$1 is '$2', not at least $3"; }
at_most() { [[ $2 =~ ^-?[0-9]+$ && $2 -le $3 ]] || fail "$1 is '$2', not at most $3"; }

# contains WHAT TEXT PATTERN: an extended regular expression
contains() { [[ $2 =~ $3 ]] || fail "$1 has no '$3': $2"; }

# waits SECONDS COMMAND...: until the command succeeds; whether it did in time
waits() {
    local end=$(($(now) + $1 * LAB_PATIENCE * 1000000))
    shift
    until "$@"; do
        (($(now) < end)) || return 1
        sleep 0.2
    done
}

# eventually SECONDS WHAT COMMAND...: the same, or the scenario has failed
eventually() {
    local seconds=$1 what=$2
    shift 2
    waits "$seconds" "$@" || fail "not in time: $what"
}

# ---- the runner

# scenario_is_for HOST NAME
scenario_is_for() {
    local hosts
    hosts=$(scenario_field "$2" hosts)
    [[ " ${hosts:-$LAB_HOSTS} " == *" $1 "* ]]
}

# What a scenario is called in the log, and its files: NAME, or NAME@HOST on another than the first.
scenario_label() { if [[ $LAB_HOST == "${LAB_HOSTS%% *}" ]]; then echo "$1"; else echo "$1@$LAB_HOST"; fi; }

scenario_field() { sed -n "s/^# $2: *//p" "$LAB_DIR/scenarios/$1.sh" | head -n 1; }

# scenario_names: those of LAB_ARCH, in their order
scenario_names() {
    local file name archs order
    for file in "$LAB_DIR"/scenarios/*.sh; do
        name=$(basename "$file" .sh)
        archs=$(scenario_field "$name" archs)
        [[ " ${archs:-x86} " == *" $LAB_ARCH "* ]] || continue
        order=$(scenario_field "$name" order)
        printf '%03d %s\n' "${order:-50}" "$name"
    done | sort | cut -d' ' -f2
}

# scenario_part NAME scenario|cleanup: what run.sh is asked to do
scenario_part() {
    # shellcheck disable=SC2317 # called by name
    cleanup() { :; }
    # shellcheck source=/dev/null
    . "$LAB_DIR/scenarios/$1.sh"
    set -x
    "$2"
}

scenario_clean() {
    in_time 60 scenario_part "$1" cleanup >>"$LAB_LOG/$STEP.log" 2>&1 || say "$(printf '%-18s its cleanup failed' "$STEP")"
}

# scenario_run NAME: says how it went; 0 passed, 77 skipped, 1 failed: twice, or in each of four attempts, of which those don't count
# after which a VM had to be started anew.
scenario_run() {
    local scenario=$1 name limit status attempt failures=0 started reason figures
    local -x STEP
    name=$(scenario_label "$1")
    STEP=$name
    limit=$(scenario_field "$scenario" limit)
    for ((attempt = 1; attempt <= 4 && failures < 2; attempt++)); do
        ((attempt == 1)) || say "$(printf '%-18s trying once more' "$name")"
        started=$EPOCHREALTIME
        : >"$LAB_RUN/$name.note"
        : >"$LAB_RUN/$name.measured"
        echo "==== attempt $attempt" >>"$LAB_LOG/$name.log"
        status=0
        in_time "$limit" scenario_part "$scenario" scenario >>"$LAB_LOG/$name.log" 2>&1 || status=$?
        scenario_clean "$scenario"
        reason=$(<"$LAB_RUN/$name.note")
        figures=$(<"$LAB_RUN/$name.measured")
        case $status in
            0)
                say "$(printf '%-18s passed  %6s s of %s  %s' "$name" "$(since "$started")" "$limit" "$figures")"
                ((attempt == 1)) || echo "$name" >>"$LAB_RUN/second-try"
                return 0
                ;;
            77)
                say "$(printf '%-18s skipped: %s' "$name" "$reason")"
                return 77
                ;;
        esac
        [[ -z $OVERTIME ]] || reason="out of time${reason:+: $reason}"
        say "$(printf '%-18s FAILED  %6s s of %s  %s%s' "$name" "$(since "$started")" "$limit" "$figures" \
            "${reason:-ended with status $status}")"
        lab_mend || continue
        failures=$((failures + 1))
    done
    tail -n 12 "$LAB_LOG/$name.log" | sed 's/^/            | /'
    return 1
}

# What the VMs can say of a failure, into the log of the scenario that failed.
lab_evidence() {
    echo '==== hostd'
    hostd_journal 40 || true
    echo "==== the guest's vCPUs"
    guest_registers || true
    echo "==== the guest's console"
    host_run "tail -n 60 $GUEST_CONSOLE" || true
    echo '==== guestd, and the guest kernel'
    guest_run -t 20 'journalctl -q --no-pager -b -n 60' || true
}

# After a failure: its evidence is kept, and a VM that no longer works is started anew, or what comes next would fail for that. 1 if
# one was.
lab_mend() {
    if ! in_time 30 host_run true >/dev/null 2>&1; then
        say "$(printf '%-18s the host VM no longer answers: its console is kept, and it is started anew' "$STEP")"
        echo "host-of-$STEP" >>"$LAB_RUN/started-anew"
        lab_next_host || true
        return 1
    fi
    in_time 60 lab_evidence >>"$LAB_LOG/$STEP.log" 2>&1 || true
    if ! in_time 40 guest_works >/dev/null 2>&1; then
        say "$(printf '%-18s the guest no longer works: what its vCPUs do and its console are in %s; it is started anew' \
            "$STEP" "$LAB_LOG/$STEP.log")"
        echo "guest-of-$STEP" >>"$LAB_RUN/started-anew"
        step "guest@$LAB_HOST" "$GUEST_LIMIT" guest_start || true
        return 1
    fi
}

# ---- the command

# The lab's second host and those after it, with the same guest.
lab_next_host() {
    step host-end 30 host_end || return
    step "host-boot@$LAB_HOST" "$HOST_BOOT_LIMIT" host_boot || return
    step "host-install@$LAB_HOST" 60 project_install || return
    step "guest@$LAB_HOST" "$GUEST_LIMIT" guest_start
}

# scenarios_run NAME...: those that are for LAB_HOST; adds to PASSED, FAILED and SKIPPED
scenarios_run() {
    local name status
    for name in "$@"; do
        scenario_is_for "$LAB_HOST" "$name" || continue
        if [[ $(scenario_field "$name" full) == yes && -z $VMFREQ_LAB_FULL ]]; then
            say "$(printf '%-18s skipped: only with --full' "$(scenario_label "$name")")"
            SKIPPED=$((SKIPPED + 1))
            continue
        fi
        scenario_run "$name" && status=0 || status=$?
        case $status in
            0) PASSED=$((PASSED + 1)) ;;
            77) SKIPPED=$((SKIPPED + 1)) ;;
            *) FAILED=$((FAILED + 1)) ;;
        esac
    done
}

# count_for HOST NAME...: how many of them are for it
count_for() {
    local host=$1 name count=0
    shift
    for name in "$@"; do
        scenario_is_for "$host" "$name" && count=$((count + 1))
    done
    echo "$count"
}

test_list() {
    local name
    scenario_names | while read -r name; do
        printf '%-18s %-20s %s\n' "$name" "$(scenario_field "$name" hosts)" "$(scenario_field "$name" what)"
    done
}

cmd_test() {
    local status hosts=$LAB_HOSTS selected=() only='' first
    PASSED=0 FAILED=0 SKIPPED=0 VMFREQ_LAB_FULL=
    while (($# > 0)); do
        case $1 in
            --only)
                scenario_names | grep -q -x -e "${2:-}" || die "--only: no such scenario; ./lab test --list names them"
                selected+=("$2")
                only=yes
                shift
                ;;
            --host)
                [[ " $LAB_HOSTS " == *" ${2:-?} "* ]] || die "--host: one of $LAB_HOSTS"
                hosts=$2
                shift
                ;;
            --full) VMFREQ_LAB_FULL=yes ;;
            --list)
                test_list
                return
                ;;
            *) die "test: what is '$1'?" ;;
        esac
        shift
    done
    [[ -n $only ]] || mapfile -t selected < <(scenario_names)
    export VMFREQ_LAB_FULL
    first=${hosts%% *}
    LAB_HOST=$first

    lab_begin
    if ! lab_up; then
        finish "$(count_for "$LAB_HOST" "${selected[@]}")" "the lab could not be brought up, so no scenario ran"
    fi
    if [[ -z $only && -z $ARCH_CHECKS ]]; then
        say "$(printf '%-18s skipped: make check is the build machine'"'"'s, and this build is for %s' check "$LAB_ARCH")"
        SKIPPED=$((SKIPPED + 1))
    elif [[ -z $only ]]; then
        step check 240 build_check && status=0 || status=1
        read -r PASSED FAILED SKIPPED < <(build_check_counts)
        FAILED=$((FAILED > status ? FAILED : status))
        while read -r name; do
            say "skipped $name"
        done < <(build_check_skips)
    fi
    if ! step_join guest; then
        finish "$(count_for "$LAB_HOST" "${selected[@]}")" "the guest could not be started, so no scenario ran"
    fi
    for LAB_HOST in $hosts; do
        (($(count_for "$LAB_HOST" "${selected[@]}") > 0)) || continue
        if [[ $LAB_HOST != "$first" ]] && ! lab_next_host; then
            FAILED=$((FAILED + $(count_for "$LAB_HOST" "${selected[@]}")))
            say "the host VM with Linux $LAB_HOST could not be brought up, so none of its scenarios ran"
            continue
        fi
        scenarios_run "${selected[@]}"
    done
    finish 0 ''
}

# finish FAILED WHY: the closing line, with what failed for a reason that is not a scenario's own
finish() {
    FAILED=$((FAILED + $1))
    [[ -z $2 ]] || say "$2"
    if [[ -s $LAB_RUN/started-anew ]]; then
        say "VMs that stopped working and were started anew: $(xargs <"$LAB_RUN/started-anew")"
    fi
    if [[ -s $LAB_RUN/second-try ]]; then
        say "passed, but not at the first try: $(xargs <"$LAB_RUN/second-try")"
    fi
    ((FAILED == 0)) || show_logs
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    ((FAILED == 0)) && exit 0
    exit 1
}

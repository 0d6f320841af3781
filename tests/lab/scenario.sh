# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab test: make check, then the scenarios. A scenario is a file scenarios/NAME.sh that begins with
#
#   # what: one line for the reader        # limit: seconds
#   # order: a number, 50 unless given     # full: yes   (only with --full)
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

# eventually SECONDS WHAT COMMAND...: until the command succeeds
eventually() {
    local end=$(($(now) + $1 * 1000000)) what=$2
    shift 2
    until "$@"; do
        (($(now) < end)) || fail "not in time: $what"
        sleep 0.2
    done
}

# ---- the runner

scenario_field() { sed -n "s/^# $2: *//p" "$LAB_DIR/scenarios/$1.sh" | head -n 1; }

scenario_names() {
    local file name order
    for file in "$LAB_DIR"/scenarios/*.sh; do
        name=$(basename "$file" .sh)
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
    in_time 60 scenario_part "$1" cleanup >>"$LAB_LOG/$1.log" 2>&1 || say "$(printf '%-18s its cleanup failed' "$1")"
}

# scenario_run NAME: says how it went; 0 passed, 77 skipped, 1 failed
scenario_run() {
    local name=$1 limit status attempt started reason figures
    local -x STEP=$1
    limit=$(scenario_field "$name" limit)
    for attempt in 1 2; do
        started=$EPOCHREALTIME
        : >"$LAB_RUN/$name.note"
        : >"$LAB_RUN/$name.measured"
        echo "==== attempt $attempt" >>"$LAB_LOG/$name.log"
        status=0
        in_time "$limit" scenario_part "$name" scenario >>"$LAB_LOG/$name.log" 2>&1 || status=$?
        scenario_clean "$name"
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
        ((attempt == 2)) || say "$(printf '%-18s trying once more' "$name")"
    done
    tail -n 12 "$LAB_LOG/$name.log" | sed 's/^/            | /'
    return 1
}

# ---- the command

cmd_test() {
    local name status full='' selected=() passed=0 failed=0 skipped=0 only=
    while (($# > 0)); do
        case $1 in
            --only)
                [[ -f $LAB_DIR/scenarios/${2:-}.sh ]] || die "--only: no such scenario; ./lab test --list names them"
                selected+=("$2")
                only=yes
                shift
                ;;
            --full) full=yes ;;
            --list)
                scenario_names | while read -r name; do
                    printf '%-18s %s\n' "$name" "$(scenario_field "$name" what)"
                done
                return
                ;;
            *) die "test: what is '$1'?" ;;
        esac
        shift
    done
    [[ -n $only ]] || mapfile -t selected < <(scenario_names)
    export VMFREQ_LAB_FULL=$full

    lab_begin
    if ! lab_up; then
        finish 0 "${#selected[@]}" 0 "the lab could not be brought up, so no scenario ran"
    fi
    if ! have_project; then
        say "no configure.ac yet: no make check, and scenarios that need vmfreq skip"
    elif ! step_join build; then
        finish 0 $((${#selected[@]} + 1)) 0 "vmfreq could not be built"
    elif [[ -z $only ]]; then
        step_start check 240 build_check
    fi
    if have_project && ! step host-install 60 project_install; then
        finish 0 "${#selected[@]}" 0 "vmfreq could not be installed"
    fi
    if [[ -z $only ]] && have_project; then
        step_join check && status=0 || status=1
        read -r passed failed skipped < <(build_check_counts)
        failed=$((failed > status ? failed : status))
    fi
    if ! step_join guest; then
        finish "$passed" $((failed + ${#selected[@]})) "$skipped" "the guest could not be started, so no scenario ran"
    fi
    if [[ -z $only ]] && step guest-save 90 guest_save; then
        step guest-keep 90 guest_keep || say "it will be booted again the next time"
    fi
    if have_project && ! step guest-install 120 project_install_guest; then
        finish "$passed" $((failed + ${#selected[@]})) "$skipped" "guestd could not be put into the guest"
    fi

    for name in "${selected[@]}"; do
        if [[ $(scenario_field "$name" full) == yes && -z $full ]]; then
            say "$(printf '%-18s skipped: only with --full' "$name")"
            skipped=$((skipped + 1))
            continue
        fi
        scenario_run "$name" && status=0 || status=$?
        case $status in
            0) passed=$((passed + 1)) ;;
            77) skipped=$((skipped + 1)) ;;
            *) failed=$((failed + 1)) ;;
        esac
    done
    finish "$passed" "$failed" "$skipped" ''
}

# finish PASSED FAILED SKIPPED WHY: the closing line
finish() {
    [[ -z $4 ]] || say "$4"
    if [[ -s $LAB_RUN/second-try ]]; then
        say "passed only on the second try: $(xargs <"$LAB_RUN/second-try")"
    fi
    (($2 == 0)) || show_logs
    echo "$1 passed, $2 failed, $3 skipped"
    (($2 == 0)) && exit 0
    exit 1
}

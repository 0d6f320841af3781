#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# What watching costs a guest, counted by its kernel. Prints lines "KEY VALUE"; run as root in the guest.
#
#   guest.sh guestd SECONDS LOAD...   while LOAD runs: guestd's CPU time, its eBPF programs' run time, its reports
#   guest.sh agent SECONDS LOAD...    the same of qemu-ga, which the host polls meanwhile (its calls are the host's to count)
#   guest.sh idle SECONDS             guestd's wake-ups and CPU time in an idle guest
#   guest.sh memory                   guestd's memory, kB
set -eu

fail() {
	echo "guest.sh: $*" >&2
	exit 1
}

guestd_pid() { systemctl show -P MainPID vmfreq-guestd; }

# CPU time of all its threads, ns
cpu_nsec() { cat "/proc/$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'; }

# how often it slept and was woken
wakeups() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"; }

# eBPF programs that it holds: "NSEC RUNS" of all together; needs kernel.bpf_stats_enabled
programs() {
	cat "/proc/$1"/fdinfo/* 2>/dev/null | awk '
		/^prog_id/ { id = $2 } /^run_time_ns/ { nsec[id] = $2 } /^run_cnt/ { runs[id] = $2 }
		END { for (id in nsec) { n += nsec[id]; r += runs[id] } printf "%.0f %d\n", n, r }'
}

reports() { vmfreqctl --json status | sed -n 's/.*"reports_sent": *\([0-9]*\).*/\1/p; s/.*"reports": *\([0-9]*\).*/\1/p' | head -n 1; }

# difference KEY BEFORE AFTER
difference() { echo "$1 $(($3 - $2))"; }

# during SECONDS LOAD...: the load in the background, for so long
during() {
	seconds=$1
	shift
	if [ $# -gt 0 ]; then
		"$@" >/dev/null 2>&1 &
		load=$!
	fi
	sleep "$seconds"
	if [ $# -gt 0 ]; then
		kill "$load" 2>/dev/null || true
		wait "$load" 2>/dev/null || true
	fi
}

watch_guestd() {
	pid=$(guestd_pid)
	[ "$pid" -gt 0 ] || fail "vmfreq-guestd doesn't run"
	sysctl -q -w kernel.bpf_stats_enabled=1
	# asking is work, too
	reports=$(reports)
	sleep 3
	cpu=$(cpu_nsec "$pid") wakeups=$(wakeups "$pid") programs=$(programs "$pid")
	during "$@"
	difference cpu_nsec "$cpu" "$(cpu_nsec "$pid")"
	difference wakeups "$wakeups" "$(wakeups "$pid")"
	after=$(programs "$pid")
	difference bpf_nsec "${programs% *}" "${after% *}"
	difference bpf_runs "${programs#* }" "${after#* }"
	difference reports "$reports" "$(reports)"
	sysctl -q -w kernel.bpf_stats_enabled=0
}

watch_agent() {
	pid=$(cat /run/qga.pid)
	cpu=$(cpu_nsec "$pid")
	during "$@"
	difference cpu_nsec "$cpu" "$(cpu_nsec "$pid")"
}

memory() {
	awk '/^(Rss|Anonymous):/ { print tolower(substr($1, 1, length($1) - 1)) "_kb", $2 }' "/proc/$(guestd_pid)/smaps_rollup"
}

verb=${1-}
[ $# -eq 0 ] || shift
case $verb in
guestd) watch_guestd "$@" ;;
idle) watch_guestd "$1" ;;
agent) watch_agent "$@" ;;
memory) memory ;;
*) fail "guestd, agent, idle or memory?" ;;
esac

#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest's half: traces the scheduler while the loads run, one after the other.
#
#   guest.sh begin              clears and starts the trace
#   guest.sh run LOADS [NAME]...  the loads of that file, all or those named, each between two markers
#   guest.sh sync               for each number on standard input a marker and an answer, until it ends
#   guest.sh end FILE           stops the trace and saves it
#
# Needs root, and `load` in $PATH. $TRACING is another place than /sys/kernel/tracing, for tests.
set -eu
TRACING=${TRACING:-/sys/kernel/tracing}
BUFFER_KB=${BUFFER_KB:-32768} # for each CPU: a switch and a wake-up are about 150 bytes

fail() {
	echo "guest.sh: $*" >&2
	exit 1
}

put() { echo "$2" >"$TRACING/$1"; }
mark() { echo "$*" >>"$TRACING/trace_marker"; }

begin() {
	[ -e "$TRACING/trace" ] || fail "no tracefs at $TRACING: mount -t tracefs nodev $TRACING"
	put tracing_on 0
	put current_tracer nop
	put events/enable 0
	put trace_clock mono
	put buffer_size_kb "$BUFFER_KB"
	put options/overwrite 1 # what is lost then shows in the first lines of the trace
	put trace ''
	for event in switch wakeup wakeup_new migrate_task process_fork; do
		put "events/sched/sched_$event/enable" 1
	done
	put tracing_on 1
	# What was before the trace has to fade.
	sleep 2
}

# field LINE NUMBER: of those between bars, without the spaces around it
field() { echo "$1" | cut -d'|' -f"$2" | sed 's/^ *//; s/ *$//'; }

wanted() {
	name=$1
	shift
	[ $# -gt 0 ] || return 0
	for one in "$@"; do
		[ "$one" != "$name" ] || return 0
	done
	return 1
}

run() {
	loads=$1
	shift
	grep -v -e '^#' -e '^ *$' "$loads" | while read -r line; do
		name=$(field "$line" 1)
		wanted "$name" "$@" || continue
		commands=$(echo "$line" | cut -d'|' -f4-)
		echo "$name"
		mark "vmfreq-load begin $name $(field "$line" 2)"
		sleep 1
		# A load that fails leaves a window without load, which the table would show as if it had run.
		timeout "$(field "$line" 3)" sh -c "$commands" </dev/null >/dev/null || fail "$name: status $?"
		sleep 1
		mark "vmfreq-load end $name"
	done
}

sync_clocks() {
	# No process is started for an exchange: its time is the error of the clocks.
	exec 3>>"$TRACING/trace_marker"
	while read -r number; do
		echo "vmfreq-sync $number" >&3
		echo "$number"
	done
}

end() {
	put tracing_on 0
	cat "$TRACING/trace" >"$1"
	put events/enable 0
	put buffer_size_kb 1408
}

case ${1-} in
begin) begin ;;
run) shift && run "$@" ;;
sync) sync_clocks ;;
end) end "$2" ;;
*) fail "begin, run LOADS [NAME]..., sync or end FILE?" ;;
esac

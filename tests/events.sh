#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Events of the log: common/events.h, systemd/vmfreq.catalog, the man pages and the calls of log_event()
# say the same. `make check` runs it.
set -u
export LC_ALL=C

srcdir=${srcdir:-.}
header=$srcdir/common/events.h
catalog=$srcdir/systemd/vmfreq.catalog
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

# "NAME id" of each event.
awk '/^#define EVENT_/ { gsub(/"/, "", $3); print $2, $3 }' "$header" > "$scratch/events"

# "NAME id" of each entry of the catalog, by the comment above it, and "NAME FIELD" of what it names.
awk '/^# EVENT_/ { name = $2 } /^-- / { print name, $2; name = "unnamed" }' "$catalog" \
	> "$scratch/entries"
awk '/^# EVENT_/ { name = $2 }
	{ line = $0
	  while (match(line, /@[A-Z_]+@/)) {
		print name, substr(line, RSTART + 1, RLENGTH - 2)
		line = substr(line, RSTART + RLENGTH)
	  } }' "$catalog" | sort -u > "$scratch/named"

# "NAME FIELD file:line" of what each call of log_event() or log_event_limited() sends, and
# "NAME - file:line" of each.
calls() {
	awk '
	function out(call, where,   events, n, i, e) {
		n = 0
		while (match(call, /EVENT_[A-Z_]+/)) {
			events[++n] = substr(call, RSTART, RLENGTH)
			call = substr(call, 1, RSTART - 1) " " substr(call, RSTART + RLENGTH)
		}
		for (i = 1; i <= n; i++) {
			e = events[i]
			print e, "-", where
			print e, "SYSLOG_IDENTIFIER", where
			if (call ~ /[.]domain =|LOG_DOMAIN\(/) print e, "VMFREQ_DOMAIN", where
			if (call ~ /[.]uuid =|LOG_DOMAIN\(/) print e, "VMFREQ_DOMAIN_UUID", where
			if (call ~ /[.]cid =|LOG_DOMAIN\(/) print e, "VMFREQ_CID", where
			if (call ~ /[.]vcpu =/) print e, "VMFREQ_VCPU", where
			if (call ~ /[.]reason =/) print e, "VMFREQ_REASON", where
			if (call ~ /[.]config_file =/) print e, "CONFIG_FILE", where
			if (call ~ /[.]config_line =/) print e, "CONFIG_LINE", where
		}
	}
	/log_event(_limited)?\(/ && !/^(#|void)/ { call = ""; open = 1; where = FILENAME ":" FNR }
	open { call = call " " $0; if (/;[ \t]*$/) { out(call, where); open = 0 } }
	' "$srcdir"/common/*.c "$srcdir"/guestd/*.c "$srcdir"/hostd/*.c
}
calls > "$scratch/calls"

[ "$(wc -l < "$scratch/events")" -ge 10 ] || fail "$header has no events that I can read"
[ "$(wc -l < "$scratch/calls")" -ge 10 ] || fail "the sources have no log_event() that I can read"

for column in 1 2; do
	twice=$(cut -d ' ' -f $column "$scratch/events" | sort | uniq -d)
	[ -z "$twice" ] || fail "$header has twice: $twice"
done
bad=$(grep -v -E '^EVENT_[A-Z_]+ [0-9a-f]{32}$' "$scratch/events")
[ -z "$bad" ] || fail "no 128-bit id in lower case: $bad"

while read -r line; do
	fail "in one of $header and $catalog alone, or under another name: $line"
done < <(sort "$scratch/events" "$scratch/entries" | uniq -u)

# Each entry has its headers, then an empty line, then a text.
while read -r line; do
	fail "$catalog: $line"
done < <(awk '
	function check() {
		if (name == "") return
		if (!subject || !by || !support || !doc) print name " lacks a header"
		if (lines < 3) print name " says too little: what happened, what it means, the remedy"
	}
	/^# EVENT_/ { check(); name = $2; subject = by = support = doc = lines = text = 0; next }
	!text && /^Subject: ./ { subject = 1 }
	!text && /^Defined-By: vmfreq$/ { by = 1 }
	!text && /^Support: ./ { support = 1 }
	!text && /^Documentation: man:/ { doc = 1 }
	/^$/ { text = 1 }
	text { lines++ }
	END { check() }' "$catalog")

# What the catalog names is sent by every call; and every event has a call.
while read -r event field; do
	while read -r where; do
		grep -q -F -x "$event $field $where" "$scratch/calls" ||
			fail "$where: $event is sent without $field, which its catalog entry names"
	done < <(awk -v e="$event" '$1 == e && $2 == "-" { print $3 }' "$scratch/calls")
done < "$scratch/named"
while read -r event _; do
	grep -q "^$event - " "$scratch/calls" || fail "$event is never sent"
done < "$scratch/events"

# The man page of each daemon that sends an event lists it.
while read -r event id; do
	for daemon in hostd guestd; do
		grep -q "^$event - .*/\($daemon\|common\)/" "$scratch/calls" || continue
		tr -d "\\\\" < "$srcdir/man/vmfreq-$daemon.8" | grep -q "$id" ||
			fail "man/vmfreq-$daemon.8 doesn't list $event, $id"
		# An entry whose reader is sent to one daemon's page names the other's, too, if it sends it.
		pages=$(awk -v e="$event" '/^# EVENT_/ { here = $2 == e }
			here && /^Documentation: man:vmfreq-(host|guest)d/ { print $2 }' "$catalog")
		[[ -z $pages || $pages == *"vmfreq-$daemon(8)"* ]] ||
			fail "$catalog: $event is sent by vmfreq-$daemon, whose page it doesn't name"
	done
done < "$scratch/events"
while read -r id; do
	grep -q " $id$" "$scratch/events" || fail "a man page lists $id, which is no event"
done < <(cat "$srcdir"/man/vmfreq-*d.8 | grep -o -E '\b[0-9a-f]{32}\b')

# journalctl reads what we wrote, where there is one.
if ! command -v journalctl > /dev/null; then
	echo "SKIP: no journalctl to read the catalog"
else
	mkdir -p "$scratch/root/usr/lib/systemd/catalog" "$scratch/root/var/lib/systemd/catalog"
	cp "$catalog" "$scratch/root/usr/lib/systemd/catalog/"
	if ! journalctl --root="$scratch/root" --update-catalog ||
		! journalctl --root="$scratch/root" --dump-catalog > "$scratch/dump"; then
		fail "journalctl can't read $catalog"
	fi
	while read -r event id; do
		grep -q -x -e "-- $id" "$scratch/dump" || fail "journalctl doesn't find $event"
	done < "$scratch/events"
fi

[ $failed -eq 0 ] && echo "PASS: $(wc -l < "$scratch/events") events"
exit $failed

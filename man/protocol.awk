# SPDX-License-Identifier: LGPL-2.1-or-later
# proto/PROTOCOL.md as a man page, vmfreq-protocol(7), so that the two can't disagree. It knows what that file uses:
# headings, paragraphs, lists, tables, fences, `code`, **bold** and *emphasis*; what it doesn't know is an error.
#
# Text is collected in `text` and comes out whole, since a paragraph's lines are one to mdoc.

BEGIN {
	print ".\\\" SPDX-License-Identifier: LGPL-2.1-or-later"
	print ".\\\" Made from proto/PROTOCOL.md by man/protocol.awk: don't edit."
	print ".Dd " date
	print ".Dt VMFREQ-PROTOCOL 7\n.Os vmfreq"
	print ".Sh NAME\n.Nm vmfreq-protocol\n.Nd how an agent in a guest talks with vmfreq-hostd"
}

# What roff would take for its own, and letters that not every terminal has.
function plain(s)
{
	gsub(/\\/, "\\e", s)
	gsub(/⁶⁴/, "^64", s)
	gsub(/³²/, "^32", s)
	gsub(/³¹/, "^31", s)
	gsub(/−/, "-", s)
	gsub(/×/, "x", s)
	gsub(/µ/, "u", s)
	gsub(/\.\.\./, "\\\\\\&.\\\\\\&.\\\\\\&.", s)
	if (s ~ /[^\t -~]/)
		fail("a letter that is not ASCII: " s)
	return s
}

function fail(why)
{
	print FILENAME ":" FNR ": " why > "/dev/stderr"
	failed = 1
	exit 1
}

# Fonts: Sy and Em where Markdown has bold and emphasis, quoted literals where it has code.
function inline(s,   out)
{
	out = ""
	s = plain(s)
	while (match(s, /`[^`]+`|\*\*[^*]+\*\*|\*[^* ][^*]*\*/)) {
		out = out substr(s, 1, RSTART - 1)
		if (substr(s, RSTART, 1) == "`")
			out = out "\\fB" substr(s, RSTART + 1, RLENGTH - 2) "\\fR"
		else if (substr(s, RSTART, 2) == "**")
			out = out "\\fB" substr(s, RSTART + 2, RLENGTH - 4) "\\fR"
		else
			out = out "\\fI" substr(s, RSTART + 1, RLENGTH - 2) "\\fR"
		s = substr(s, RSTART + RLENGTH)
	}
	return out s
}

# Sentences on lines of their own, as mdoc wants them; a line that would be a request is disarmed.
function say(s,   n, i, line)
{
	s = inline(s)
	gsub(/\. +/, ".\n", s)
	n = split(s, line, "\n")
	for (i = 1; i <= n; i++) {
		sub(/^[.']/, "\\\\\\&&", line[i])
		print line[i]
	}
}

function flush()
{
	if (text != "")
		say(text)
	text = ""
}

function end_list()
{
	flush()
	if (list)
		print ".El"
	list = ""
	table = 0
}

# A paragraph begins.
function paragraph()
{
	end_list()
	if (!fresh)
		print ".Pp"
	fresh = 0
}

function begin_list(kind, arguments)
{
	if (list == kind)
		return
	end_list()
	if (!fresh)
		print ".Pp"
	fresh = 0
	print ".Bl " arguments
	list = kind
}

# Pads what has been given fonts to the width that its bare text leaves.
function pad(cell, width,   bare)
{
	bare = plain(cell)
	gsub(/[`*]/, "", bare)
	return inline(cell) (length(bare) < width ? substr("          ", 1, width - length(bare)) : "")
}

# The cells that name a row, an offset with its type and field or a number and its name, become the tag of an item, the
# others the words below it.
function row(line,   n, i, named, words)
{
	sub(/^\|/, "", line)
	sub(/\|$/, "", line)
	if (line ~ /^[-|]+$/)
		return
	n = split(line, cell, "|")
	for (i = 1; i <= n; i++) {
		sub(/^ +/, "", cell[i])
		sub(/ +$/, "", cell[i])
	}
	if (!table) {
		end_list()
		for (i = 1; i <= n; i++)
			heading[i] = cell[i]
		if (heading[1] == "offset" && !explained++)
			print "What follows is the offset of each field, its type and its name."
		table = n
		return
	}
	if (n != table)
		fail("a row of " n " cells in a table of " table)
	begin_list("table", "-tag -width 6n -compact")
	table = n
	named = heading[1] == "offset" ? 3 : 2
	print ".It Xo"
	print pad(cell[1], 4) pad(cell[2], named == 3 ? 8 : 0) (named == 3 ? inline(cell[3]) : "")
	print ".Xc"
	words = ""
	for (i = named + 1; i <= n; i++)
		if (cell[i] != "")
			words = words (words == "" ? "" : "; ") (heading[i] == "" ? "" : heading[i] ": ") cell[i]
	if (words != "")
		say(words)
}

/^```/ {
	if (fence) {
		print ".Ed"
	} else {
		end_list()
		print ".Bd -literal"
	}
	fence = !fence
	fresh = 0
	next
}
fence {
	if (length($0) > 72 && index($0, "|")) {
		line = plain(substr($0, 1, index($0, "|") - 1))
		sub(/ +$/, "", line)
		print line
		$0 = sprintf("%25s", "") substr($0, index($0, "|"))
		if (length($0) > 72)
			sub(/^ +/, "    ")
	}
	print plain($0)
	next
}
/^# / {
	next
}
/^## / {
	end_list()
	title = plain(substr($0, 4))
	print ".Sh " (title == toupper(title) ? title " MESSAGE" : toupper(title))
	fresh = 1
	next
}
/^### / {
	end_list()
	print ".Ss " plain(substr($0, 5))
	fresh = 1
	next
}
/^#/ {
	fail("a heading of a depth that isn't known: " $0)
}
/^\|/ {
	flush()
	row($0)
	next
}
/^- / {
	flush()
	begin_list("bullets", "-bullet -compact")
	print ".It"
	text = substr($0, 3)
	next
}
/^[0-9]+\. / {
	flush()
	begin_list("numbers", "-enum -compact")
	print ".It"
	text = $0
	sub(/^[0-9]+\. /, "", text)
	next
}
/^  +[^ ]/ && list {
	sub(/^ +/, "")
	text = text " " $0
	next
}
/^$/ {
	end_list()
	next
}
{
	if (text == "" && !described) {
		print ".Sh DESCRIPTION"
		described = 1
		fresh = 1
	}
	if (text == "")
		paragraph()
	text = text (text == "" ? "" : " ") $0
}

END {
	if (failed)
		exit 1
	end_list()
	print ".Sh SEE ALSO\n.Xr vmfreq.conf 5 ,\n.Xr vmfreq-guestd 8 ,\n.Xr vmfreq-hostd 8"
}

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The XML files are well-formed, and valid where the machine has what they are to be valid against.

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

need xmllint libxml2-utils

# dtd_of FILE: the DTD that its DOCTYPE means, if it is installed
dtd_of() {
    local name
    name=$(grep -o -m 1 -E '[a-z0-9-]+\.dtd' "$1") || return 0
    find /usr/share/xml /usr/share/polkit-1 -name "${name%.dtd}*.dtd" -print -quit 2>/dev/null
}

n=0 valid=0
while read -r file; do
    head -n 1 "$srcdir/$file" | grep -q '^<?xml' || continue
    n=$((n + 1))
    dtd=$(dtd_of "$srcdir/$file")
    [[ -z $dtd ]] || valid=$((valid + 1))
    says=$(xmllint --nonet --noout ${dtd:+--dtdvalid "$dtd"} "$srcdir/$file" 2>&1) || fail "$says"
done < <(sources '*.conf' '*.policy' '*.xml' '*.rules')
((n > 0)) || fail "no XML file was found"
passed "$n XML files are well-formed, $valid of them checked against a DTD"

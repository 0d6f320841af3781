#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# codespell knows no better for any word in docs, man pages and sources; what bpftool writes isn't ours.

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

need codespell codespell

mapfile -t files < <(sources '*.md' '*.c' '*.h' '*.sh' '*.am' '*.ac' 'man/*' 'conf/*' 'systemd/*' 'completions/*' lab |
    grep -v -e '^tests/data/' -e '\.skel\.h$')
says=$(cd "$srcdir" && codespell -L "$(xargs <tests/lint/words | tr ' ' ,)" "${files[@]}") || fail "$says"
passed "${#files[@]} files"

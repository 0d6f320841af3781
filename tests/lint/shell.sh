#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The scripts pass shellcheck.

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

need shellcheck shellcheck

mapfile -t scripts < <(sources '*.sh' lab '.ci/*' 'completions/bash/*' 'tests/*')
shell=()
for script in "${scripts[@]}"; do
    case $script in
        *.c | *.h | tests/data/*) continue ;;
        *.sh | completions/*) shell+=("$script") ;;
        *) head -n 1 "$srcdir/$script" | grep -q -a -E '^#!.*\b(ba)?sh\b' && shell+=("$script") ;;
    esac
done
((${#shell[@]} > 5)) || fail "only ${#shell[@]} scripts were found"
# SC1091: a tarball hasn't got all that the lab's scripts read.
(cd "$srcdir" && shellcheck -e SC1091 -f gcc "${shell[@]}") || fail "shellcheck (its wiki explains each SC number)"
passed "${#shell[@]} scripts"

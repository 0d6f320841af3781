#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The completions for zsh: their syntax, and what zsh makes of words and a Tab in a terminal of its own (tests/completion/tab.zsh).

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

need zsh zsh

scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

for file in "$srcdir"/completions/zsh/_*; do
    zsh -n "$file" || fail "$file: zsh can't read it"
    head -n 1 "$file" | grep -q -x "#compdef ${file##*/_}" || fail "$file doesn't begin with #compdef ${file##*/_}"
done

# "what is typed|what it becomes", one a line
cases() {
    local program option
    for program in vmfreq-hostd vmfreq-guestd vmfreqctl; do
        while read -r option; do
            echo "$program ${option%?}|$program $option"
        done < <("./$program" --help | sed -n -E 's/^ +(-[A-Za-z], +)?(--[a-z-]+).*/\2/p')
        echo "$program --no-such|$program --no-such"
    done
    echo "vmfreq-hostd --log-level=w|vmfreq-hostd --log-level=warning"
    echo "vmfreq-guestd --log-level d|vmfreq-guestd --log-level debug"
    echo "vmfreq-hostd -c $scratch/fi|vmfreq-hostd -c $scratch/file"
    echo "vmfreq-guestd --root=$scratch/fol|vmfreq-guestd --root=$scratch/folder/"
    echo "vmfreqctl --json st|vmfreqctl --json status"
    echo "vmfreqctl release w|vmfreqctl release web"
    echo "vmfreqctl limit da|vmfreqctl limit data\\ base"
    echo "vmfreqctl status --js|vmfreqctl status --json"
    echo "vmfreqctl limit web 50% --js|vmfreqctl limit web 50% --js"
    echo "vmfreqctl --json rele|vmfreqctl --json rele"
    echo "vmfreqctl --watch=2s res|vmfreqctl --watch=2s res"
    echo "vmfreqctl -w rele|vmfreqctl -w rele"
    echo "vmfreqctl rele|vmfreqctl release"
    echo "vmfreqctl limit web n|vmfreqctl limit web none"
    echo "vmfreqctl release web w|vmfreqctl release web w"
    echo "vmfreqctl --watch=50|vmfreqctl --watch=500ms"
    echo "vmfreqctl guest-a|vmfreqctl guest-acpi"
    echo "vmfreqctl --cpus=4 gu|vmfreqctl --cpus=4 guest-acpi"
    echo "vmfreqctl --input $scratch/file gu|vmfreqctl --input $scratch/file guest-dtb"
    echo "vmfreqctl --output=x st|vmfreqctl --output=x st"
    echo "vmfreqctl guest-acpi --c|vmfreqctl guest-acpi --cpus"
    echo "vmfreqctl guest-dtb --c|vmfreqctl guest-dtb --clusters"
    echo "vmfreqctl guest-dtb --input=$scratch/fi|vmfreqctl guest-dtb --input=$scratch/file"
    echo "vmfreqctl status --o|vmfreqctl status --o"
}

: >"$scratch/file"
mkdir "$scratch/folder"
wanted=$(cases)
became=$(cut -d'|' -f1 <<<"$wanted" |
    PATH=$(realpath "$srcdir/tests/completion"):$PATH timeout 60 zsh -f "$srcdir/tests/completion/tab.zsh" "$(realpath "$srcdir")/completions/zsh" "$scratch")
status=$?
((status != 77)) || skip "this zsh has no zpty"
((status == 0)) || fail "tab.zsh ended with status $status"
n=0
while IFS='|' read -r typed want got; do
    [[ ${got% } == "$want" || ${got% } == "$want=" ]] || fail "'$typed' becomes '$got', not '$want'"
    n=$((n + 1))
done < <(paste -d'|' <(echo "$wanted") <(echo "$became"))
passed "$n completions"

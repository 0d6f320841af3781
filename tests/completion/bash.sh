#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The completions for bash, asked as bash asks them: every option of --help from its beginning, values, commands, and the
# names of domains, which a vmfreqctl that is none tells.

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

fake=$(realpath "$srcdir/tests/completion")
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
for program in vmfreq-hostd vmfreq-guestd vmfreqctl; do
    # shellcheck source=/dev/null
    . "$srcdir/completions/bash/$program" || fail "completions/bash/$program can't be read"
done

# It works inside of a completion alone, which this is only half: note what was asked for.
compopt() { COMPOPTS+=" $*"; }

# complete_words WORD...: what bash would offer for the last one, one a line; --x=y counts as three words, as it does there
complete_words() {
    local function
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=() COMPOPTS=
    COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
    function=$(complete -p "$1" | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
    PATH=$fake:$PATH "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>"$scratch/stderr"
    [[ ! -s $scratch/stderr ]] || fail "completing '$*' says: $(<"$scratch/stderr")"
    OFFERED=$(printf '%s\n' "${COMPREPLY[@]}" | sed 's/ $//' | sort)
}

# offers WANTED WORD...: WANTED are words with commas between
offers() {
    local wanted
    wanted=$(tr , '\n' <<<"$1" | sort)
    shift
    complete_words "$@"
    [[ $OFFERED == "$wanted" ]] || fail "for '$*' it offers '$(xargs <<<"$OFFERED")', not '$(xargs <<<"$wanted")'"
    n=$((n + 1))
}

n=0
for program in vmfreq-hostd vmfreq-guestd vmfreqctl; do
    while read -r option; do
        complete_words "$program" "${option%?}"
        grep -q -x -E -- "$option=?" <<<"$OFFERED" || fail "$program ${option%?} isn't completed to $option"
        n=$((n + 1))
    done < <("./$program" --help | sed -n -E 's/^ +(-[A-Za-z], +)?(--[a-z-]+).*/\2/p')
    offers --version "$program" --vers
    offers '' "$program" --no-such
done
for program in vmfreq-hostd vmfreq-guestd; do
    offers debug "$program" --log-level d
    offers error,warning,notice,info,debug "$program" --log-level =
    offers warning "$program" --log-level = w
    : >"$scratch/one file"
    offers "$scratch/one file" "$program" -c "$scratch/one"
    offers "$scratch/one file" "$program" --config = "$scratch/one"
    [[ $COMPOPTS == *filenames* ]] || fail "$program --config= doesn't complete the name of a file"
    complete_words "$program" --conf
    [[ $COMPOPTS == *nospace* ]] || fail "$program --config= is followed by a space"
done
offers status vmfreqctl st
offers status vmfreqctl --json ''
offers status vmfreqctl -w ''
offers status vmfreqctl --watch = 2s ''
offers --json vmfreqctl status --js
offers 500ms,5s vmfreqctl --watch = 5
for command in limit release resume; do
    offers 'data\ base,web' vmfreqctl "$command" ''
    offers 'data\ base' vmfreqctl "$command" da
    offers '' vmfreqctl "$command" --js
    offers '' vmfreqctl --json "${command::2}"
    offers '' vmfreqctl --watch = 2s "${command::2}"
    NO_HOSTD=yes offers '' vmfreqctl "$command" ''
done
offers '50%' vmfreqctl limit web 5
offers '' vmfreqctl release web ''
offers '' vmfreqctl status ''
for command in guest-acpi guest-dtb; do
    offers "$command" vmfreqctl --output = status "${command::-2}"
    offers "$command" vmfreqctl --frequencies 600MHz,1GHz "${command::-2}"
    offers '--frequencies=' vmfreqctl "$command" --f
    offers '' vmfreqctl "$command" --js
    offers '' vmfreqctl "$command" ''
    offers '' vmfreqctl "$command" --frequencies = ''
    offers "$scratch/one file" vmfreqctl "$command" --output = "$scratch/one"
    [[ $COMPOPTS == *filenames* ]] || fail "vmfreqctl --output= doesn't complete the name of a file"
    complete_words vmfreqctl "$command" --out
    [[ $COMPOPTS == *nospace* ]] || fail "vmfreqctl --output= is followed by a space"
done
offers '--cpus=' vmfreqctl guest-acpi --c
offers '--clusters=' vmfreqctl guest-dtb --c
offers '' vmfreqctl limit --f
offers '' vmfreqctl status --o
offers guest-acpi vmfreqctl --cpus 4 ''
offers guest-dtb vmfreqctl --output x --input = y ''
offers '' vmfreqctl --json --cpus = 4 ''
passed "$n completions"

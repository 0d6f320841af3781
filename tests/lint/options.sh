#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The options of each program are the same in its source, its --help, its man page and what bash and zsh complete; so are
# vmfreqctl's commands. An option is written here as "-c --config=" (takes a value), "-w --watch[=" (may take one), "--json".

. "${srcdir:-.}/tests/lint/lib.sh"

# From the table for getopt_long(), in the sources of folder $1. A table's value is a short option if the short options
# have it.
options_of_source() {
    cat "$srcdir/$1"/*.c | tr '\n' ' ' | awk '
        {
            if (match($0, /getopt_long\([a-z]+, [a-z]+, "[^"]*"/)) {
                shorts = substr($0, RSTART, RLENGTH - 1)
                sub(/.*"/, "", shorts)
            }
            kind["no"] = ""; kind["required"] = "="; kind["optional"] = "[="
            while (match($0, /\{ *"[a-z-]+", *(no|required|optional)_argument, *NULL, *[^}]*\}/)) {
                split(substr($0, RSTART, RLENGTH), part, /[{",} ]+/)
                $0 = substr($0, RSTART + RLENGTH)
                sub(/_.*/, "", part[3])
                short = part[5] ~ /^\047.\047$/ && index(shorts, substr(part[5], 2, 1)) ? substr(part[5], 2, 1) : ""
                colons = part[3] == "no" ? "" : part[3] == "required" ? ":" : "::"
                if (short && !index(shorts ";", short colons) || short && index(shorts, short colons ":"))
                    print "short options \"" shorts "\" disagree with --" part[2]
                print (short ? "-" short " " : "") "--" part[2] kind[part[3]]
            }
        }'
}

options_of_help() {
    sed -n -E 's/^ +((-[A-Za-z]), )?(--[a-z-]+)(\[?=)?.*/\2 \3\4/p' <<<"$1" | sed 's/^ *//'
}

# From lines such as ".It Fl c , Fl -config Ns = Ns Ar FILE".
options_of_man() {
    man_section "$1" OPTIONS |
        sed -n -e 's/ Ns Op = .*/[=/; s/ Ns = .*/=/; s/ , Fl -/ --/; s/^\.It Fl /-/p'
}

# Their names alone, one a line: a completion has no need to tell more.
names_of() { tr ' ' '\n' <<<"$1" | sed 's/\[*=$//'; }

options_of_bash() { sed -n "s/^\tlocal options='\(.*\)'/\1/p" "$1" | tr ' ' '\n' | sed 's/=$//'; }
options_of_zsh() { grep -o -E -- "--[a-z-]*[a-z]|\{-[A-Za-z]" "$1" | tr -d '{'; }

commands_of_help() { sed -n '/^Commands:/,/^$/ s/^  \([a-z-]*\).*/\1/p' <<<"$1"; }
commands_of_man() { man_section "$1" COMMANDS | sed -n -E 's/^\.It Cm ([a-z-]+).*/\1/p'; }
commands_of_bash() { sed -n "s/^\tlocal commands='\(.*\)'/\1/p" "$1" | tr ' ' '\n'; }
commands_of_zsh() { sed -n -E "s/^\t\t'([a-z-]+):.*/\1/p" "$1"; }

check_program() {
    local program=$1 folder=$2 page=$3 help source shell file wide
    help=$("./$program" --help) || fail "$program --help ends with $?"
    page=$(man_page "$page") || fail "$program has no man page"
    # Of builds with --enable-testing alone, and of HACKING.md.
    source=$(options_of_source "$folder" | grep -v -e '^--testing-')
    [[ $(grep -c . <<<"$source") -ge 3 ]] || fail "$program: its options were not found in $folder/*.c: $source"
    same "$program" "$folder/*.c" "$source" "its --help" "$(options_of_help "$help")"
    same "$program" "$folder/*.c" "$source" "$page" "$(options_of_man "$page")"
    for shell in bash/ zsh/_; do
        file=completions/$shell$program
        same "$program" "$folder/*.c" "$(names_of "$source")" "$file" "$("options_of_${shell%%/*}" "$srcdir/$file")"
    done
    wide=$(awk '!/default: \// && length($0) > 80' <<<"$help")
    [[ -z $wide ]] || fail "$program --help is wider than 80 columns: $wide"
    [[ $("./$program" --version) =~ ^"$program "[0-9] ]] || fail "$program --version doesn't say '$program VERSION'"
    "./$program" --no-such-option >/dev/null 2>&1
    [[ $? -eq 64 ]] || fail "$program doesn't end with 64 at an unknown option"
}

check_commands() {
    local help page shell file
    help=$(./vmfreqctl --help)
    page=$(man_page vmfreqctl.1)
    [[ -n $(commands_of_help "$help") ]] || fail "vmfreqctl --help has no commands"
    same "vmfreqctl's commands" "its --help" "$(commands_of_help "$help")" "$page" "$(commands_of_man "$page")"
    for shell in bash/ zsh/_; do
        file=completions/${shell}vmfreqctl
        same "vmfreqctl's commands" "its --help" "$(commands_of_help "$help")" \
            "$file" "$("commands_of_${shell%%/*}" "$srcdir/$file")"
    done
}

check_program vmfreq-hostd hostd vmfreq-hostd.8
check_program vmfreq-guestd guestd vmfreq-guestd.8
check_program vmfreqctl ctl vmfreqctl.1
check_commands
passed "three programs: source, --help, man page and completions name the same options and commands"

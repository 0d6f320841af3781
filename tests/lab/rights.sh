# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For the scenarios rights-host and rights-guest, which say how a right is taken away (without LINES...) and have the checks.

rights_of() { awk -v daemon="$1" '$1 == daemon' "$LAB_DIR/rights"; }

# rights_take_away DAEMON: first all the checks under the unit as it is, then each with its right taken away
rights_take_away() {
    local right check lines last='' n=0 idle=()
    without
    for check in $(rights_of "$1" | awk '!seen[$3]++ { print $3 }'); do
        "$check" || fail "$check fails under the unit as it is"
    done
    # 3: commands in the loop have an input of their own
    while read -r -u 3 _ right check lines; do
        IFS=';' read -r -a lines <<<"$lines"
        without "${lines[@]}"
        # shellcheck disable=SC2310 # whether it fails is the question
        if "$check"; then
            idle+=("$check passes without $right;")
        fi
        n=$((n + 1)) last=$check
    done 3< <(rights_of "$1")
    ((${#idle[@]} == 0)) || fail "${idle[*]}"
    without
    "$last" || fail "$last fails with all rights back"
    measured "$n rights"
}

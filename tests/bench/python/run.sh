# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

# run_checks DIRECTORY: its check.py, with a Python that may have no more than python3-minimal
run_checks() {
    # Debian's, whatever else there is in $PATH.
    local python=/usr/bin/python3
    [[ -x $python ]] || skip "$python is not there (Debian's package python3-minimal)"
    exec timeout 300 "$python" -B "$srcdir/$1/check.py"
}

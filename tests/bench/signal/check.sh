#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The reference and the figures of tests/bench/signal say what is known to be right of made-up traces.

# shellcheck source=tests/lint/lib.sh
. "${srcdir:-.}/tests/lint/lib.sh"

# Debian's, whatever else there is in $PATH.
python=/usr/bin/python3
[[ -x $python ]] || skip "$python is not there (Debian's package python3-minimal)"
exec timeout 300 "$python" -B "$srcdir/tests/bench/signal/check.py"

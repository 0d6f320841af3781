#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The reference and the figures of tests/bench/signal say what is known to be right of made-up traces.

# shellcheck source=tests/bench/python/run.sh
. "${srcdir:-.}/tests/bench/python/run.sh"

run_checks tests/bench/signal

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The timetables, reports and figures of tests/bench/dvfs are what is known to be right.

# shellcheck source=tests/bench/python/run.sh
. "${srcdir:-.}/tests/bench/python/run.sh"

run_checks tests/bench/dvfs

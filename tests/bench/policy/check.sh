#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The energy-delay products of tests/bench/policy are what is known to be right, and its keys are vmfreq-hostd's.

# shellcheck source=tests/bench/python/run.sh
. "${srcdir:-.}/tests/bench/python/run.sh"

run_checks tests/bench/policy

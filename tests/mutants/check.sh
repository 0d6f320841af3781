#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The faults that tests/mutants plants are those that are meant: of small texts, without building any.

# shellcheck source=tests/bench/python/run.sh
. "${srcdir:-.}/tests/bench/python/run.sh"

run_checks tests/mutants

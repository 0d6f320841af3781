# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ./lab demo: the same load twice, with hostd only watching and with hostd acting.

cmd_demo() { die "there is nothing to show yet"; }

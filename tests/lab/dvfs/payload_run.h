/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's side of the payload: `payload-run --ram FILE|--pid PID page|off|TIMETABLE OUT`. */
#pragma once

/* 0; 1: something failed, and was said on stderr; 2: usage. */
int payload_run_main(int argc, char **argv);

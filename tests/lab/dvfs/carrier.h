/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host threads that carry a timetable's load: `carrier native|threads|floating [--page FILE]
 * [--start USEC] TIMETABLE OUT`. USEC: of CLOCK_MONOTONIC, when the timetable begins; soon, unless
 * told. */
#pragma once

/* 0; 1: something failed, and was said on stderr; 2: usage. */
int carrier_main(int argc, char **argv);

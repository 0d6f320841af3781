/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the shared page: `feeder [--root DIR] [--vcpu INDEX:TID]... PAGE...` until SIGTERM or
 * SIGINT. A PAGE is PATH, made if it isn't there, or PATH@OFFSET in a file that is there (a guest's
 * memory). */
#pragma once

/* 0; 1: something failed, and was said on stderr; 2: usage. */
int feeder_main(int argc, char **argv);

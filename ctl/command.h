/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of vmfreqctl: a row each in the table of main.c, a function each in command_*.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct options {
	bool json;
	uint64_t watch_usec; /* 0: once */
};

/* Exit codes. */
enum {
	EXIT_REFUSED = 1,     /* the daemon can't be asked, or can't do it: said on stderr */
	EXIT_NOT_ALLOWED = 77 /* EX_NOPERM: polkit says no */
};

/* Each gets its arguments, as many as its row says, and returns the exit code. */
int command_status(const struct options *options, char *const argv[]);
int command_reload(const struct options *options, char *const argv[]);
int command_release(const struct options *options, char *const argv[]);
int command_resume(const struct options *options, char *const argv[]);
int command_limit(const struct options *options, char *const argv[]);

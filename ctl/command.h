/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of vmfreqctl: a row each in the table of main.c, a function each in command_*.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A bit for each option that is not of all commands. */
enum option_bit {
	OPTION_JSON = 1 << 0,
	OPTION_WATCH = 1 << 1,
	OPTION_CPUS = 1 << 2,
	OPTION_FREQUENCIES = 1 << 3,
	OPTION_CLUSTERS = 1 << 4,
	OPTION_INPUT = 1 << 5,
	OPTION_OUTPUT = 1 << 6,
};

/* Texts are as they were given, or NULL. */
struct options {
	unsigned given; /* bits */
	bool json;
	uint64_t watch_usec; /* 0: once */
	const char *cpus, *frequencies, *clusters, *input, *output;
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
int command_guest_acpi(const struct options *options, char *const argv[]);
int command_guest_dtb(const struct options *options, char *const argv[]);

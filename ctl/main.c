/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreqctl: the command line; command_*.c do the rest. */
#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>

#include "common/macro.h"
#include "common/parse.h"
#include "config.h"
#include "ctl/command.h"

static const struct command {
	const char *name, *arguments;
	int n_arguments;
	unsigned takes; /* enum option_bit */
	const char *help;
	int (*run)(const struct options *options, char *const argv[]);
} commands[] = {
	{"status", "", 0, OPTION_JSON | OPTION_WATCH,
	 "the actuators in use, each domain and each vCPU", command_status},
	{"reload", "", 0, 0, "read the configuration again", command_reload},
	{"limit", " DOMAIN PERCENT", 2, 0, "its floors are at most this, until a reboot; or none",
	 command_limit},
	{"release", " DOMAIN", 1, 0, "put back all of it and leave it alone, until a reboot",
	 command_release},
	{"resume", " DOMAIN", 1, 0, "take a released domain up again", command_resume},
	{"guest-acpi", "", 0, OPTION_CPUS | OPTION_FREQUENCIES | OPTION_OUTPUT,
	 "write an ACPI table with P-states for an x86 VM", command_guest_acpi},
	{"guest-dtb", "", 0, OPTION_INPUT | OPTION_OUTPUT | OPTION_FREQUENCIES | OPTION_CLUSTERS,
	 "add operating points to an arm64 VM's device tree", command_guest_dtb},
};

/* The options that are not of all commands. */
static const struct {
	char c; /* as in the table for getopt_long() */
	enum option_bit bit;
	const char *name, *of;
} of_commands[] = {
	{'j', OPTION_JSON, "--json", "status"},
	{'w', OPTION_WATCH, "--watch", "status"},
	{'n', OPTION_CPUS, "--cpus", "guest-acpi"},
	{'f', OPTION_FREQUENCIES, "--frequencies", "guest-acpi and guest-dtb"},
	{'c', OPTION_CLUSTERS, "--clusters", "guest-dtb"},
	{'i', OPTION_INPUT, "--input", "guest-dtb"},
	{'o', OPTION_OUTPUT, "--output", "guest-acpi and guest-dtb"},
};

static void help(void)
{
	printf("vmfreqctl [OPTION]... COMMAND\n"
	       "Show what vmfreq-hostd does for the VMs of this host, and tell it what to do.\n"
	       "In a VM, status and reload are of vmfreq-guestd.\n\n"
	       "Commands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %s%-*s %s\n", commands[i].name, 22 - (int)strlen(commands[i].name),
		       commands[i].arguments, commands[i].help);
	printf("DOMAIN is a name or a UUID. Only status, guest-acpi and guest-dtb need no\n"
	       "privileges.\n\n"
	       "Options of status:\n"
	       "      --json             print it as one JSON document\n"
	       "  -w, --watch[=TIME]     print it again every TIME (1s unless told)\n\n"
	       "Options of guest-acpi and guest-dtb:\n"
	       "      --frequencies=LIST which the CPUs have, such as 600MHz,1.2GHz,3GHz\n"
	       "      --output=FILE      write FILE, and print what goes into the domain's XML\n"
	       "      --cpus=N           guest-acpi: how many, as in the domain's <vcpu>\n"
	       "      --input=FILE       guest-dtb: the device tree from QEMU's dumpdtb\n"
	       "      --clusters=LISTS   guest-dtb: CPUs that share a frequency, as 0-3:4-7\n\n"
	       "Options:\n"
	       "  -h, --help             print this help and exit\n"
	       "  -V, --version          print the version and exit\n\n"
	       "Exit codes: 0 done, 1 it can't be done, 64 the command line is wrong,\n"
	       "69 built without what it takes, 77 not allowed. See vmfreqctl(1).\n");
}

static int parse_watch(const char *text, uint64_t *ret_usec)
{
	*ret_usec = USEC_PER_SEC;
	if (!text || (parse_usec(text, ret_usec) >= 0 && *ret_usec >= 10 * USEC_PER_MSEC))
		return 0;
	fprintf(stderr, "vmfreqctl: --watch takes a time of 10ms or more, such as 500ms or 2s\n");
	return EX_USAGE;
}

/* -1 to go on, or the exit code. */
static int take_option(int c, struct options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_commands); i++)
		if (of_commands[i].c == c)
			options->given |= of_commands[i].bit;
	switch (c) {
	case 'j':
		options->json = true;
		break;
	case 'w':
		if (parse_watch(optarg, &options->watch_usec) != 0)
			return EX_USAGE;
		break;
	case 'n':
		options->cpus = optarg;
		break;
	case 'f':
		options->frequencies = optarg;
		break;
	case 'c':
		options->clusters = optarg;
		break;
	case 'i':
		options->input = optarg;
		break;
	case 'o':
		options->output = optarg;
		break;
	case 'h':
		help();
		return EXIT_SUCCESS;
	case 'V':
		puts("vmfreqctl " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	default:
		fprintf(stderr, "Try: vmfreqctl --help\n");
		return EX_USAGE;
	}
	return -1;
}

/* -1 to go on, or the exit code. */
static int parse_options(int argc, char *argv[], struct options *options)
{
	static const struct option longs[] = {{"json", no_argument, NULL, 'j'},
					      {"watch", optional_argument, NULL, 'w'},
					      {"cpus", required_argument, NULL, 'n'},
					      {"frequencies", required_argument, NULL, 'f'},
					      {"clusters", required_argument, NULL, 'c'},
					      {"input", required_argument, NULL, 'i'},
					      {"output", required_argument, NULL, 'o'},
					      {"help", no_argument, NULL, 'h'},
					      {"version", no_argument, NULL, 'V'},
					      {}};
	int c, code = -1;

	while (code < 0 && (c = getopt_long(argc, argv, "w::hV", longs, NULL)) >= 0)
		code = take_option(c, options);
	return code;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Says which option was given though the command has no use for it. */
static bool has_useless_option(const struct command *command, const struct options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(of_commands); i++)
		if (options->given & ~command->takes & of_commands[i].bit) {
			fprintf(stderr,
				"vmfreqctl: %s is an option of %s, not of %s\n"
				"Try: vmfreqctl --help\n",
				of_commands[i].name, of_commands[i].of, command->name);
			return true;
		}
	return false;
}

int main(int argc, char *argv[])
{
	struct options options = {};
	const struct command *command;
	int r = parse_options(argc, argv, &options);

	if (r >= 0)
		return r;
	command = optind < argc ? find_command(argv[optind]) : NULL;
	if (!command) {
		fprintf(stderr, "vmfreqctl: %s%s%s\nTry: vmfreqctl --help\n",
			optind < argc ? "there is no command '" : "what? Say a command, such as ",
			optind < argc ? argv[optind] : "status", optind < argc ? "'" : "");
		return EX_USAGE;
	}
	if (argc - optind - 1 != command->n_arguments) {
		fprintf(stderr, "vmfreqctl: it is: vmfreqctl %s%s\nTry: vmfreqctl --help\n",
			command->name, command->arguments);
		return EX_USAGE;
	}
	if (has_useless_option(command, &options))
		return EX_USAGE;
	return command->run(&options, argv + optind + 1);
}

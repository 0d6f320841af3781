/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreqctl: the command line; command_*.c do the rest. */
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "common/macro.h"
#include "common/parse.h"
#include "config.h"
#include "ctl/command.h"

static const struct command {
	const char *name, *arguments;
	int n_arguments;
	bool shows; /* --json and --watch say how */
	const char *help;
	int (*run)(const struct options *options, char *const argv[]);
} commands[] = {
	{"status", "", 0, true, "the actuators in use, each domain and each vCPU", command_status},
	{"reload", "", 0, false, "read the configuration again", command_reload},
	{"limit", " DOMAIN PERCENT", 2, false,
	 "its floors are at most this, until a reboot; or none", command_limit},
	{"release", " DOMAIN", 1, false, "put back all of it and leave it alone, until a reboot",
	 command_release},
	{"resume", " DOMAIN", 1, false, "take a released domain up again", command_resume},
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
	printf("DOMAIN is a name or a UUID. Only status needs no privileges.\n\n"
	       "Options of status:\n"
	       "      --json             print it as one JSON document\n"
	       "  -w, --watch[=TIME]     print it again every TIME (1s unless told)\n\n"
	       "Options:\n"
	       "  -h, --help             print this help and exit\n"
	       "  -V, --version          print the version and exit\n\n"
	       "Exit codes: 0 done, 1 the daemon can't be asked or can't do it, 64 the\n"
	       "command line is wrong, 77 not allowed. See vmfreqctl(1).\n");
}

/* -1 to go on, or the exit code. */
static int parse_options(int argc, char *argv[], struct options *options)
{
	static const struct option longs[] = {{"json", no_argument, NULL, 'j'},
					      {"watch", optional_argument, NULL, 'w'},
					      {"help", no_argument, NULL, 'h'},
					      {"version", no_argument, NULL, 'V'},
					      {}};
	int c;

	while ((c = getopt_long(argc, argv, "w::hV", longs, NULL)) >= 0)
		switch (c) {
		case 'j':
			options->json = true;
			break;
		case 'w':
			options->watch_usec = USEC_PER_SEC;
			if (optarg && (parse_usec(optarg, &options->watch_usec) < 0 ||
				       options->watch_usec < 10 * USEC_PER_MSEC)) {
				fprintf(stderr, "vmfreqctl: --watch takes a time of 10ms or more, "
						"such as 500ms or 2s\n");
				return EX_USAGE;
			}
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

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* The option that was given, though the command has no use for it; or NULL. */
static const char *useless_option(const struct command *command, const struct options *options)
{
	if (command->shows)
		return NULL;
	return options->json ? "--json" : options->watch_usec > 0 ? "--watch" : NULL;
}

int main(int argc, char *argv[])
{
	struct options options = {};
	const struct command *command;
	const char *useless;
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
	useless = useless_option(command, &options);
	if (useless) {
		fprintf(stderr,
			"vmfreqctl: %s is an option of status, not of %s\n"
			"Try: vmfreqctl --help\n",
			useless, command->name);
		return EX_USAGE;
	}
	return command->run(&options, argv + optind + 1);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreqctl: shows what vmfreq-hostd does. */
#include <getopt.h>
#include <string.h>
#include <sysexits.h>
#include <systemd/sd-bus.h>

#include "common/macro.h"
#include "common/parse.h"
#include "config.h"
#include "ctl/status_text.h"

DEFINE_CLEANUP(struct json_object *, json_object_put)

struct options {
	bool json;
	uint64_t watch_usec; /* 0: once */
};

static void help(void)
{
	printf("vmfreqctl [OPTION]... COMMAND\n"
	       "Show what vmfreq-hostd does for the VMs of this host.\n\n"
	       "Commands:\n"
	       "  status                 the actuators in use, each domain and each vCPU\n\n"
	       "Options:\n"
	       "      --json             print the status as one JSON document\n"
	       "  -w, --watch[=TIME]     print it again every TIME (1s unless told)\n"
	       "  -h, --help             print this help and exit\n"
	       "  -V, --version          print the version and exit\n\n"
	       "Exit codes: 0 done, 1 vmfreq-hostd can't be asked, 64 the command line is wrong.\n"
	       "See vmfreqctl(1).\n");
}

static int fetch_status(char **ret)
{
	_cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	sd_bus_error error = SD_BUS_ERROR_NULL;
	const char *json;
	int r = sd_bus_open_system(&bus);

	if (r < 0) {
		fprintf(stderr, "vmfreqctl: the system bus can't be reached: %s\n", strerror(-r));
		return r;
	}
	r = sd_bus_call_method(bus, "org.vmfreq.Host1", "/org/vmfreq/Host1", "org.vmfreq.Host1",
			       "GetStatus", &error, &reply, "");
	if (r >= 0)
		r = sd_bus_message_read(reply, "s", &json);
	if (r < 0) {
		fprintf(stderr,
			"vmfreqctl: vmfreq-hostd doesn't answer: %s\n"
			"Is it running? Try: systemctl status vmfreq-hostd\n",
			error.message ? error.message : strerror(-r));
		sd_bus_error_free(&error);
		return r;
	}
	*ret = strdup(json);
	return *ret ? 0 : -ENOMEM;
}

static int print_status(const struct options *options)
{
	_cleanup_free_ char *json = NULL;
	_cleanup_(json_object_putp) struct json_object *status = NULL;
	int r = fetch_status(&json);

	if (r < 0)
		return r;
	if (options->json) {
		puts(json);
		return 0;
	}
	status = json_tokener_parse(json);
	r = status_text(status, stdout);
	if (r < 0)
		fprintf(stderr, "vmfreqctl: vmfreq-hostd answered with something else: another "
				"version?\n");
	return r;
}

static int run_status(const struct options *options)
{
	int r = print_status(options);

	while (r >= 0 && options->watch_usec > 0) {
		fflush(stdout);
		usleep((useconds_t)options->watch_usec);
		if (!options->json)
			puts("");
		r = print_status(options);
	}
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
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

int main(int argc, char *argv[])
{
	struct options options = {};
	int r = parse_options(argc, argv, &options);

	if (r >= 0)
		return r;
	if (argc - optind != 1 || strcmp(argv[optind], "status") != 0) {
		fprintf(stderr, "vmfreqctl: %s\nTry: vmfreqctl --help\n",
			optind == argc ? "what? The command is 'status'"
				       : "the only command is 'status'");
		return EX_USAGE;
	}
	return run_status(&options);
}

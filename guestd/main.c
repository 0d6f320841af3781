/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-guestd: the arguments and the settings, and nothing else. */
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "common/bus_name.h"
#include "common/config_cli.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/macro.h"
#include "common/notify.h"
#include "common/rootfs.h"
#include "guestd/cpufreq.h"
#include "guestd/guest.h"
#include "guestd/identity.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif
#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

/* Also where the machine is no guest at all. */
#define NO_VSOCK                                                                                   \
	"this machine has no vsock device, so there is no host to report to: give its domain "     \
	"<vsock model='virtio'><cid auto='yes'/></vsock>"

struct arguments {
	const char *config_path, *root;
	bool dry_run, restore, check_config, dump_config, done;
};

static void help(void)
{
	printf("vmfreq-guestd [OPTION]...\n"
	       "Tell the VM host how busy each vCPU is, and follow the frequency that it gives.\n\n"
	       "Options:\n"
	       "  -c, --config=FILE      read FILE (default: " SYSCONFDIR "/vmfreq.conf)\n"
	       "  -n, --dry-run          report to the host, change nothing in the guest\n"
	       "      --restore          put back what a crashed run left changed, and exit\n"
	       "      --check-config     say what is wrong with the configuration, and exit\n"
	       "      --dump-config      print the configuration with its sources, and exit\n"
	       "      --root=DIR         look for /proc, /sys and /run below DIR, for tests\n"
	       "      --log-level=LEVEL  error, warning, notice, info (the default) or debug\n"
	       "  -h, --help             print this help and exit\n"
	       "  -V, --version          print the version and exit\n\n"
	       "Exit codes: 0 done, 1 failed, 64 the command line is wrong, 69 nothing to do\n"
	       "on this machine, 78 the configuration is wrong. See vmfreq-guestd(8),\n"
	       "vmfreq.conf(5).\n");
}

/* 0, or EX_USAGE. */
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
	enum { OPTION_ROOT = 256, OPTION_RESTORE, OPTION_CHECK, OPTION_DUMP, OPTION_LOG_LEVEL };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"dry-run", no_argument, NULL, 'n'},
		{"restore", no_argument, NULL, OPTION_RESTORE},
		{"check-config", no_argument, NULL, OPTION_CHECK},
		{"dump-config", no_argument, NULL, OPTION_DUMP},
		{"root", required_argument, NULL, OPTION_ROOT},
		{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{}};
	int c;

	while ((c = getopt_long(argc, argv, "c:nhV", options, NULL)) >= 0)
		switch (c) {
		case 'c':
			ret->config_path = optarg;
			break;
		case 'n':
			ret->dry_run = true;
			break;
		case OPTION_ROOT:
			ret->root = optarg;
			break;
		case OPTION_RESTORE:
			ret->restore = true;
			break;
		case OPTION_CHECK:
			ret->check_config = true;
			break;
		case OPTION_DUMP:
			ret->dump_config = true;
			break;
		case OPTION_LOG_LEVEL:
			if (log_choose_level(optarg) < 0)
				return EX_USAGE;
			break;
		case 'h':
			help();
			ret->done = true;
			return 0;
		case 'V':
			puts("vmfreq-guestd " PACKAGE_VERSION);
			ret->done = true;
			return 0;
		default:
			fprintf(stderr, "Try: vmfreq-guestd --help\n");
			return EX_USAGE;
		}
	if (optind == argc)
		return 0;
	fprintf(stderr, "vmfreq-guestd: '%s' is one word too many\n", argv[optind]);
	return EX_USAGE;
}

static int restore(int root_fd)
{
	unsigned left = 0;
	int r = cpufreq_recover(root_fd, &left);

	if (r < 0) {
		log_event(LOG_ERR, EVENT_RESTORE_FAILED, LOG_FIELDS(.reason = strerror(-r)),
			  "cpufreq can't be put back: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	if (r > 0 || left > 0)
		guest_log_restored((unsigned)r, left);
	return EXIT_SUCCESS;
}

DEFINE_CLEANUP(struct guest *, guest_free)

static int run(const struct arguments *arguments, int root_fd)
{
	const struct guest_options options = {
		.root_fd = root_fd,
		.config_path = arguments->config_path,
		.dry_run = arguments->dry_run,
		.open = uplink_open_vsock,
		.bus_address = bus_name_system_address(),
		.may_bpf = true,
		.follows_cpufreq = identity_follows_cpufreq(),
	};
	_cleanup_(guest_freep) struct guest *guest = NULL;
	struct guest_config config;

	if (config_load(arguments->config_path, &guest_config_table, &config, NULL, log_complaint,
			NULL) < 0)
		return EX_CONFIG;
	if (!uplink_is_possible(root_fd)) {
		log_notice(NO_VSOCK);
		notify_unavailable(NO_VSOCK);
		return EX_UNAVAILABLE;
	}
	if (guest_new(&options, &config, &guest) < 0)
		return EXIT_FAILURE;
	notify_ready();
	return sd_event_loop(guest_event(guest)) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.config_path = SYSCONFDIR "/vmfreq.conf", .root = "/"};
	_cleanup_close_ int root_fd = -EBADF;
	int r = parse_arguments(argc, argv, &arguments);

	log_open(JOURNAL_SOCKET);
	if (r != 0 || arguments.done)
		return r;
	if (arguments.check_config)
		return config_cli_check(arguments.config_path, &guest_config_table);
	if (arguments.dump_config)
		return config_cli_dump(arguments.config_path, &guest_config_table);
	root_fd = rootfs_open(arguments.root);
	if (root_fd < 0) {
		log_error("%s: %s", arguments.root, strerror(-root_fd));
		return EXIT_FAILURE;
	}
	return arguments.restore ? restore(root_fd) : run(&arguments, root_fd);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmfreq-hostd: the command line and the config; host.c does the rest. */
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "common/config_cli.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/macro.h"
#include "common/notify.h"
#include "common/rootfs.h"
#include "hostd/host.h"
#include "hostd/listener.h"
#include "hostd/testing.h"

#define STATE_DIR "/run/vmfreq"

#define NO_VHOST_VSOCK                                                                             \
	"this machine's VMs can't have a vsock device, so there is nobody to listen to: "          \
	"vhost_vsock isn't loaded (modprobe vhost_vsock)"

struct options {
	struct host_options host;
	bool restore, check_config, dump_config;
};

static void help(void)
{
	printf("vmfreq-hostd [OPTION]...\n"
	       "Give the vCPUs of this host's VMs the frequency and the cores that they ask "
	       "for.\n\n"
	       "Options:\n"
	       "  -c, --config=FILE      read FILE (default: " SYSCONFDIR "/vmfreq.conf)\n"
	       "  -n, --dry-run          decide and show everything, change nothing\n"
	       "      --restore          put back what a crashed run left changed, and exit\n"
	       "      --check-config     say what is wrong with the configuration, and exit\n"
	       "      --dump-config      print the configuration with its sources, and exit\n"
	       "      --root=DIR         look for /proc, /sys and /run below DIR, for tests\n"
	       "      --log-level=LEVEL  error, warning, notice, info (the default) or debug\n"
	       "  -h, --help             print this help and exit\n"
	       "  -V, --version          print the version and exit\n\n"
	       "Exit codes: 0 done, 1 failed, 64 the command line is wrong, 69 nothing to do\n"
	       "on this machine, 78 the configuration, or the socket that systemd gave, is\n"
	       "wrong. See vmfreq-hostd(8), vmfreq.conf(5).\n" TESTING_HELP);
}

/* -1 to go on, or the exit code. */
static int parse_options(int argc, char *argv[], struct options *options)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
					      {"dry-run", no_argument, NULL, 'n'},
					      {"restore", no_argument, NULL, 'r'},
					      {"root", required_argument, NULL, 'R'},
					      {"check-config", no_argument, NULL, 'C'},
					      {"dump-config", no_argument, NULL, 'D'},
					      {"log-level", required_argument, NULL, 'l'},
					      {"help", no_argument, NULL, 'h'},
					      {"version", no_argument, NULL, 'V'},
#ifdef ENABLE_TESTING
					      {"testing-listen", required_argument, NULL, 'T'},
#endif
					      {}};
	int c;

	while ((c = getopt_long(argc, argv, "c:nhV", longs, NULL)) >= 0)
		switch (c) {
		case 'c':
			options->host.config_path = optarg;
			break;
		case 'n':
			options->host.dry_run = true;
			break;
		case 'r':
			options->restore = true;
			break;
		case 'C':
			options->check_config = true;
			break;
		case 'D':
			options->dump_config = true;
			break;
		case 'R':
			options->host.root = optarg;
			break;
#ifdef ENABLE_TESTING
		case 'T':
			options->host.testing_path = optarg;
			break;
#endif
		case 'l':
			if (log_choose_level(optarg) < 0)
				return EX_USAGE;
			break;
		case 'h':
			help();
			return EXIT_SUCCESS;
		case 'V':
			puts("vmfreq-hostd " HOSTD_VERSION);
			return EXIT_SUCCESS;
		default:
			fprintf(stderr, "Try: vmfreq-hostd --help\n");
			return EX_USAGE;
		}
	if (optind < argc) {
		fprintf(stderr, "vmfreq-hostd: '%s' is one word too many\n", argv[optind]);
		return EX_USAGE;
	}
	return -1;
}

static int restore(const struct options *options)
{
	_cleanup_close_ int root_fd = rootfs_open(options->host.root);
	struct ledger_tally tally = {};
	int r = root_fd < 0 ? root_fd
			    : actuator_restore(root_fd, options->host.ledger_path, &tally);

	if (r == -EBUSY) {
		log_info("vmfreq-hostd runs: stop it to have everything put back");
		return EXIT_FAILURE;
	}
	if (r < 0) {
		log_event(LOG_ERR, EVENT_RESTORE_FAILED, LOG_FIELDS(.reason = strerror(-r)),
			  "%s: %s", options->host.ledger_path, strerror(-r));
		return EXIT_FAILURE;
	}
	host_log_restored(&tally);
	return tally.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run(const struct options *options, const struct host_config *config)
{
	sd_event *event = NULL;
	struct host *host = NULL;
	int r = sd_event_new(&event), stopped = 0;

	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL,
					NULL);
	if (r >= 0)
		r = sd_event_add_signal(event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
	if (r >= 0)
		r = host_new(event, &options->host, config, &host);
	if (r >= 0)
		r = host_start(host);
	if (r >= 0) {
		notify_ready();
		r = sd_event_loop(event);
		notify_stopping();
	}
	if (host)
		stopped = host_free(host);
	sd_event_unref(event);
	if (r == -EPROTOTYPE)
		return EX_CONFIG;
	return r < 0 || stopped < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What is kept while this boot lasts. */
struct state {
	char *dir, *ledger, *limits;
};

static void state_done(struct state *state)
{
	free(state->dir);
	free(state->ledger);
	free(state->limits);
}

/* Names it, and makes its directory for a run that changes something. */
static int state_init(struct state *state, struct options *options)
{
	const char *root = strcmp(options->host.root, "/") == 0 ? "" : options->host.root;
	int r;

	if (asprintf(&state->dir, "%s" STATE_DIR, root) < 0 ||
	    asprintf(&state->ledger, "%s/ledger", state->dir) < 0 ||
	    asprintf(&state->limits, "%s/limits", state->dir) < 0) {
		log_error("no memory");
		return -ENOMEM;
	}
	options->host.ledger_path = state->ledger;
	options->host.limits_path = state->limits;
	if (options->restore || options->host.dry_run || mkdir(state->dir, 0755) == 0 ||
	    errno == EEXIST)
		return 0;
	r = -errno;
	log_event(LOG_ERR, EVENT_START_FAILED,
		  LOG_FIELDS(.reason = "the directory for its state can't be made"),
		  "%s can't be made: %s", state->dir, strerror(-r));
	return r;
}

/* Whether this machine can have guests that report; says so if not. */
static bool has_vsock(const struct options *options)
{
	_cleanup_close_ int root_fd = rootfs_open(options->host.root);

	if (root_fd >= 0 && listener_is_possible(root_fd))
		return true;
	log_notice(NO_VHOST_VSOCK);
	notify_unavailable(NO_VHOST_VSOCK);
	return false;
}

int main(int argc, char *argv[])
{
	_cleanup_(state_done) struct state state = {};
	struct options options = {.host = {.root = "/", .config_path = SYSCONFDIR "/vmfreq.conf"}};
	struct host_config config;
	int r = parse_options(argc, argv, &options);

	log_open(JOURNAL_SOCKET);
	if (r >= 0)
		return r;
	if (options.check_config)
		return config_cli_check(options.host.config_path, &host_config_table);
	if (options.dump_config)
		return config_cli_dump(options.host.config_path, &host_config_table);
	if (options.restore)
		return state_init(&state, &options) < 0 ? EXIT_FAILURE : restore(&options);
	if (config_load(options.host.config_path, &host_config_table, &config, NULL, log_complaint,
			NULL) < 0)
		return EX_CONFIG;
	if (!has_vsock(&options))
		r = EX_UNAVAILABLE;
	else if (state_init(&state, &options) < 0)
		r = EXIT_FAILURE;
	else
		r = run(&options, &config);
	config_done(&host_config_table, &config);
	return r;
}

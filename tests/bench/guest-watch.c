/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs vmfreq-guestd's loop on this machine's own /proc against a host on a socketpair, prints each
 * report, and at the end what it cost: guest-watch [-q] [-r ROOT] [-f CAPACITY] SECONDS. With -f
 * the host sends FEEDBACK of that capacity (1..1024) for all CPUs after a second. No vsock, no
 * root. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "common/macro.h"
#include "common/rootfs.h"
#include "guestd/guest.h"
#include "proto/message.h"

static struct frame_decoder decoder;
static struct message_hello hello;
static unsigned n_reports, n_records, n_pings, n_bytes;
static bool quiet;
static uint16_t capacity; /* 0: no FEEDBACK */

static int give_fd(void *userdata, _unused_ uint32_t cid, _unused_ uint32_t port)
{
	int *fd = userdata;

	return *fd < 0 ? -ECONNREFUSED : TAKE_FD(*fd);
}

static double now_sec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run_guest(const char *root, int fd)
{
	struct guest_options options = {.root_fd = rootfs_open(root),
					.config_path = "/nonexistent",
					.open = give_fd,
					.open_userdata = &fd};
	struct guest_config config;
	struct guest *guest;

	config_defaults(guest_config_keys, guest_config_keys_n, &config);
	if (guest_new(&options, &config, &guest) < 0)
		return EXIT_FAILURE;
	sd_event_loop(guest_event(guest));
	guest_free(guest);
	return EXIT_SUCCESS;
}

static void send_hello(int fd)
{
	struct message_hello mine = {.major = PROTO_MAJOR,
				     .minor = PROTO_MINOR,
				     .fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
				     .lease_max_msec = 60000,
				     .agent = "guest-watch"};
	uint8_t buffer[512];
	int n = hello_put(buffer, sizeof(buffer), &mine);

	if (n < 0 || write(fd, buffer, (size_t)n) != n)
		abort();
}

static void send_ping(int fd)
{
	uint8_t buffer[64];
	int n = ping_put(buffer, sizeof(buffer), 0);

	if (write(fd, buffer, (size_t)n) != n)
		abort();
}

static void send_feedback(int fd)
{
	static struct feedback_vcpu vcpus[PROTO_CPUS_MAX];
	static uint8_t buffer[FEEDBACK_FRAME_MAX];
	int n;

	for (unsigned i = 0; i < hello.n_cpus; i++)
		vcpus[i] = (struct feedback_vcpu){(uint16_t)hello.cpu[i].cpu, capacity, 0, 0};
	n = feedback_put(buffer, sizeof(buffer), 1, vcpus, hello.n_cpus);
	if (write(fd, buffer, (size_t)n) != n)
		abort();
	printf("%9.4f FEEDBACK %u sent\n", now_sec(), capacity);
}

static void print_report(const struct message_report *report, double at)
{
	n_reports++;
	n_records += report->n_vcpus;
	if (quiet)
		return;
	printf("%9.4f #%u lease %u psi %#x", at, report->sequence, report->lease_msec,
	       report->psi_fields);
	for (unsigned i = 0; i < report->n_vcpus; i++) {
		struct report_vcpu v;

		report_vcpu(report, i, &v);
		printf(" | cpu%u avg %u est %u%s scale %u delay %" PRIu32 " steal %" PRIu32, v.cpu,
		       v.util_avg, v.util_est, v.flags & VCPU_SATURATED ? "!" : "", v.freq_scale,
		       v.run_delay_usec, v.steal_usec);
	}
	putchar('\n');
}

static void take_frame(int fd, const struct frame *frame, double at)
{
	struct message message;
	int r;

	n_bytes += FRAME_HEADER + (unsigned)frame->size;
	if (frame->type == MESSAGE_HELLO) {
		r = hello_parse(frame, &hello);
		printf("%9.4f HELLO %d: %s, %u CPUs, first id %" PRIx64 ", cpufreq %s\n", at, r,
		       hello.agent, hello.n_cpus, hello.cpu[0].id,
		       hello_cpufreq_name(hello.cpufreq));
		send_hello(fd);
		return;
	}
	r = message_parse(frame, PROTO_MINOR, &message);
	if (r < 0)
		abort();
	if (message.type == MESSAGE_REPORT)
		print_report(&message.report, at);
	else if (message.type == MESSAGE_PING)
		n_pings++;
	if (message.type != MESSAGE_REPORT)
		printf("%9.4f %s\n", at, message_type_name(message.type));
}

static void run_host(int fd, double seconds)
{
	double start = now_sec(), pinged = start;

	frame_decoder_init(&decoder);
	for (double left; (left = start + seconds - now_sec()) > 0;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		struct frame frame;
		size_t size;
		uint8_t *space = frame_decoder_space(&decoder, &size);
		ssize_t n;

		int events = poll(&p, 1, (int)(MIN(left, 1) * 1000) + 1);

		if (now_sec() - pinged >= 5) {
			pinged = now_sec();
			send_ping(fd);
		}
		if (capacity && now_sec() - start >= 1) {
			send_feedback(fd);
			capacity = 0;
		}
		if (events <= 0)
			continue;
		n = read(fd, space, size);
		if (n <= 0)
			break;
		frame_decoder_commit(&decoder, (size_t)n);
		while (frame_decoder_next(&decoder, &frame) > 0)
			take_frame(fd, &frame, now_sec());
	}
}

/* "VmRSS" and its like, and the switches, of the guest while it lives. */
static void print_status(pid_t pid)
{
	static const char *const keys[] = {"VmRSS", "RssAnon", "voluntary_ctxt_switches",
					   "nonvoluntary_ctxt_switches"};
	char path[64], line[256];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0)
				fputs(line, stdout);
}

int main(int argc, char **argv)
{
	const char *root = "/";
	double seconds = 5;
	struct rusage usage;
	int fds[2], c;
	pid_t pid;

	while ((c = getopt(argc, argv, "r:f:q")) >= 0)
		if (c == 'r')
			root = optarg;
		else if (c == 'f')
			capacity = (uint16_t)atoi(optarg);
		else if (c == 'q')
			quiet = true;
		else
			return EXIT_FAILURE;
	if (optind < argc)
		seconds = atof(argv[optind]);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return EXIT_FAILURE;
	pid = fork();
	if (pid == 0)
		exit(run_guest(root, fds[1]));
	close(fds[1]);
	run_host(fds[0], seconds);
	print_status(pid);
	kill(pid, SIGTERM);
	wait4(pid, NULL, 0, &usage);
	printf("%u reports, %u records, %u pings, %u bytes in %.1f s; CPU %.3f ms user, %.3f ms "
	       "system\n",
	       n_reports, n_records, n_pings, n_bytes, seconds,
	       (double)usage.ru_utime.tv_sec * 1e3 + (double)usage.ru_utime.tv_usec / 1e3,
	       (double)usage.ru_stime.tv_sec * 1e3 + (double)usage.ru_stime.tv_usec / 1e3);
	return EXIT_SUCCESS;
}

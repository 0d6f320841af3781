/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a report costs this machine's kernel and guestd: report-cost ebpf|proc|bare SECONDS. The
 * daemon is the real one, its counters and programs are this machine's; the host is another process
 * behind a socketpair, that counts. A process on each CPU is busy for 50 of 100 ms meanwhile, or
 * with a third argument "idle" none is. "bare" has no guestd: a loop that is woken and sends as
 * many bytes, 40 times a second, which is what any report has to pay. Root, for eBPF; nothing is
 * written to the machine (dry run). No vsock. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#include "common/cpumask.h"
#include "common/log.h"
#include "common/macro.h"
#include "guestd/guest.h"
#include "proto/message.h"

/* Shared with the host's process. */
static struct {
	unsigned reports;
} * counted;
static pid_t host, load[CPUMASK_CPUS];

static uint64_t usec_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static void send_hello(int fd)
{
	static struct message_hello hello;
	uint8_t buffer[512];
	ssize_t size;

	hello = (struct message_hello){.minor = PROTO_MINOR,
				       .fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
				       .lease_max_msec = 600,
				       .agent = "report-cost"};
	size = hello_put(buffer, sizeof(buffer), &hello);
	if (size < 0 || write(fd, buffer, (size_t)size) != size)
		_exit(1);
}

/* The host: says HELLO, and counts what comes until the guest goes. */
static _Noreturn void serve(int fd)
{
	static struct frame_decoder decoder;
	uint64_t pinged = 0;
	struct frame frame;

	frame_decoder_init(&decoder);
	send_hello(fd);
	for (;;) {
		size_t room;
		uint8_t *space = frame_decoder_space(&decoder, &room), ping[64];
		ssize_t n = read(fd, space, room);

		if (n <= 0)
			_exit(0);
		frame_decoder_commit(&decoder, (size_t)n);
		while (frame_decoder_next(&decoder, &frame) > 0)
			counted->reports += frame.type == MESSAGE_REPORT;
		if (usec_of(CLOCK_MONOTONIC) - pinged < 4 * USEC_PER_SEC)
			continue;
		pinged = usec_of(CLOCK_MONOTONIC);
		n = ping_put(ping, sizeof(ping), 0);
		if (write(fd, ping, (size_t)n) != n)
			_exit(1);
	}
}

static int open_pair(_unused_ void *userdata, _unused_ uint32_t cid, _unused_ uint32_t port)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	host = fork();
	if (host == 0) {
		close(fds[0]);
		serve(fds[1]);
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	return fds[0];
}

static _Noreturn void burn(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (;;) {
		uint64_t end = usec_of(CLOCK_MONOTONIC) + 50 * USEC_PER_MSEC;

		while (usec_of(CLOCK_MONOTONIC) < end)
			;
		usleep(50 * USEC_PER_MSEC);
	}
}

/* The run time of the eBPF programs that this process holds, and how often they ran. */
static void programs(uint64_t *ret_nsec, uint64_t *ret_runs)
{
	DIR *folder = opendir("/proc/self/fd");

	*ret_nsec = *ret_runs = 0;
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);
		char link[64] = "";

		if (readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1) < 0 ||
		    !strstr(link, "bpf-prog") ||
		    bpf_obj_get_info_by_fd(atoi(entry->d_name), &info, &size) < 0)
			continue;
		*ret_nsec += info.run_time_ns;
		*ret_runs += info.run_cnt;
	}
	if (folder)
		closedir(folder);
}

static void print_memory(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "Anonymous:", 10) == 0)
			fputs(line, stdout);
	if (file)
		fclose(file);
}

static int run_for(struct guest *guest, uint64_t usec)
{
	uint64_t end = usec_of(CLOCK_MONOTONIC) + usec, now;
	int r = 0;

	while (r >= 0 && (now = usec_of(CLOCK_MONOTONIC)) < end)
		r = sd_event_run(guest_event(guest), end - now);
	return r;
}

static int measure(struct guest *guest, uint64_t seconds)
{
	uint64_t cpu, nsec, runs, nsec_after, runs_after;
	unsigned reports;
	int r = run_for(guest, 3 * USEC_PER_SEC);

	if (r < 0)
		return r;
	reports = counted->reports;
	programs(&nsec, &runs);
	cpu = usec_of(CLOCK_PROCESS_CPUTIME_ID);
	r = run_for(guest, seconds * USEC_PER_SEC);
	cpu = usec_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	programs(&nsec_after, &runs_after);
	reports = counted->reports - reports;
	printf("reports %u cpu_usec %llu bpf_usec %llu bpf_runs %llu\n", reports,
	       (unsigned long long)cpu, (unsigned long long)(nsec_after - nsec) / NSEC_PER_USEC,
	       (unsigned long long)(runs_after - runs));
	if (reports > 0)
		printf("each: %.1f us, and %.1f us of the programs\n", (double)cpu / reports,
		       (double)(nsec_after - nsec) / 1e3 / reports);
	print_memory();
	return r;
}

#define BARE_USEC  25000 /* about as often as guestd reports under this load */
#define BARE_BYTES 120	 /* a report of two CPUs */

static int bare(uint64_t seconds)
{
	const struct itimerspec every = {.it_interval.tv_nsec = BARE_USEC * 1000,
					 .it_value.tv_nsec = BARE_USEC * 1000};
	struct epoll_event event = {.events = EPOLLIN};
	int peer = open_pair(NULL, 0, 0), epoll = epoll_create1(EPOLL_CLOEXEC);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	uint64_t n = seconds * USEC_PER_SEC / BARE_USEC, cpu, expired;
	char bytes[BARE_BYTES] = "";

	if (peer < 0 || epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) < 0)
		return -errno;
	cpu = usec_of(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t i = 0; i < n; i++)
		if (epoll_wait(epoll, &event, 1, -1) < 0 ||
		    read(timer, &expired, sizeof(expired)) < 0 ||
		    send(peer, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
			return -errno;
	cpu = usec_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("each: %.1f us\n", (double)cpu / (double)n);
	kill(host, SIGKILL);
	return 0;
}

static int report(const char *source, uint64_t seconds)
{
	struct guest_options options = {.open = open_pair, .dry_run = true};
	_cleanup_close_ int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	struct guest_config config;
	struct guest *guest = NULL;
	int r;

	config_defaults(guest_config_keys, guest_config_keys_n, &config);
	config.cpufreq = false;
	options.may_bpf = strcmp(source, "ebpf") == 0;
	config.signal = options.may_bpf ? GUEST_SIGNAL_EBPF : GUEST_SIGNAL_PROC;
	options.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = guest_new(&options, &config, &guest);
	if (r >= 0)
		r = measure(guest, seconds);
	guest_free(guest);
	return r;
}

int main(int argc, char **argv)
{
	unsigned n_cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t seconds = argc < 3 ? 0 : (uint64_t)atoi(argv[2]);
	int r;

	if (seconds == 0 || n_cpus > CPUMASK_CPUS) {
		fprintf(stderr, "usage: report-cost ebpf|proc|bare SECONDS [idle]\n");
		return EXIT_FAILURE;
	}
	counted = mmap(NULL, sizeof(*counted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	for (unsigned cpu = 0; cpu < n_cpus && argc == 3; cpu++) {
		load[cpu] = fork();
		if (load[cpu] == 0)
			burn(cpu);
	}
	r = strcmp(argv[1], "bare") == 0 ? bare(seconds) : report(argv[1], seconds);
	for (unsigned cpu = 0; cpu < n_cpus; cpu++)
		if (load[cpu] > 0)
			kill(load[cpu], SIGKILL);
	if (r < 0)
		fprintf(stderr, "report-cost: %s\n", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

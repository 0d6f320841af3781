/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attaches vmfreq-guestd's eBPF programs to this machine's kernel, plays the reporter that sends
 * whatever rings, prints events and records, and at the end what it cost: bpf-watch [-qpv] [-s
 * RISE] [-f FALL] [-i USEC] [-I USEC] [-r MSEC] SECONDS -q  no events      -p  prompt: look at each
 * enqueue, too      -v  libbpf's own words, on stderr -s, -f  the steps up and down, of 1024 -i, -I
 * the intervals for rises and falls -r  print all records each MSEC, as well Root only, and
 * not where loading eBPF isn't welcome. */
#include <bpf/bpf.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "common/macro.h"
#include "guestd/counters_bpf.h"

#define MSEC UINT64_C(1000000)

static struct counters_bpf *bpf;
static bool quiet;
static uint64_t start, look_at[CPUMASK_CPUS]; /* 0: not */
static unsigned n_wakeups, n_events, n_looks, n_sent, n_torn;

static uint64_t now_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int print_libbpf(_unused_ int level, const char *format, va_list arguments)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return vfprintf(stderr, format, arguments);
#pragma GCC diagnostic pop
}

static void print_record(const char *why, unsigned cpu, const struct pelt_record *r, uint64_t now)
{
	printf("%10.6f %-5s cpu%u wanted %u (sent %u) avg %u est %u rt %u dl %u n %u clamp %u..%u "
	       "run "
	       "%.3f steal %.3f delay %.3f ms age %.3f %s\n",
	       (double)(now - start) / 1e9, why, cpu, pelt_step_wanted(r), r->sent1024,
	       r->util_avg1024, r->util_est1024, r->rt1024, r->dl1024, r->runnable,
	       r->uclamp_min1024, r->uclamp_max1024, (double)r->run_nsec / 1e6,
	       (double)r->steal_nsec / 1e6, (double)r->delay_nsec / 1e6,
	       ((double)now - (double)r->stamp_nsec) / 1e6, r->idle_nsec ? "idle" : "busy");
}

/* Takes what there is for sent, as if a report had gone out, and plans the next look, for the
 * CPU may go idle. */
static void answer(const char *why, unsigned cpu)
{
	const uint32_t least = 16; /* below it is zero */
	struct pelt_record record;
	uint64_t now = now_nsec();
	uint32_t wanted;
	int r = counters_bpf_read(bpf, cpu, now, &record);

	look_at[cpu] = 0;
	if (r == -EAGAIN) {
		n_torn++;
		look_at[cpu] = now + MSEC;
	}
	if (r < 0)
		return;
	wanted = pelt_step_wanted(&record);
	if (wanted < least && record.idle_nsec)
		wanted = 0;
	if (!quiet)
		print_record(why, cpu, &record, now);
	n_sent += wanted != record.sent1024;
	if (counters_bpf_sent(bpf, cpu, (uint16_t)wanted, now))
		look_at[cpu] = now + MSEC;
	else if (wanted > 0) /* it doesn't ring when it goes idle */
		look_at[cpu] = now + MAX(pelt_record_fall_nsec(wanted, wanted * 3 / 4), MSEC);
}

static uint64_t next_look(uint64_t end)
{
	for (unsigned cpu = 0; cpu < counters_bpf_n_cpus(bpf); cpu++)
		if (look_at[cpu] && look_at[cpu] < end)
			end = look_at[cpu];
	return end;
}

static void look(void)
{
	uint64_t now = now_nsec();

	for (unsigned cpu = 0; cpu < counters_bpf_n_cpus(bpf); cpu++)
		if (look_at[cpu] && look_at[cpu] <= now) {
			n_looks++;
			answer("look", cpu);
		}
}

static void print_all(void)
{
	uint64_t now = now_nsec();
	struct pelt_record record;

	for (unsigned cpu = 0; cpu < counters_bpf_n_cpus(bpf); cpu++)
		if (counters_bpf_read(bpf, cpu, now, &record) == 0)
			print_record("all", cpu, &record, now);
}

static int watch(uint64_t end, uint64_t print_nsec)
{
	uint64_t print_at = print_nsec ? start + print_nsec : end, now;

	while ((now = now_nsec()) < end) {
		struct pollfd p = {.fd = counters_bpf_fd(bpf), .events = POLLIN};
		uint64_t until = MIN(next_look(end), print_at);
		uint64_t left = until > now ? until - now : 0;
		struct timespec timeout = {.tv_sec = (time_t)(left / UINT64_C(1000000000)),
					   .tv_nsec = (long)(left % UINT64_C(1000000000))};
		struct cpumask rang;
		int r;

		if (ppoll(&p, 1, &timeout, NULL) > 0) {
			n_wakeups++;
			r = counters_bpf_drain(bpf, &rang);
			if (r < 0)
				return r;
			n_events += (unsigned)r;
			CPUMASK_FOREACH(cpu, &rang)
				answer("rang", cpu);
		}
		look();
		if (print_nsec && now_nsec() >= print_at) {
			print_all();
			print_at += print_nsec;
		}
	}
	return 0;
}

static void print_programs(double seconds)
{
	double total = 0;
	const char *name;
	int fd;

	for (unsigned n = 0; (name = counters_bpf_program(bpf, n, &fd)); n++) {
		struct bpf_prog_info info = {};
		uint32_t size = sizeof(info);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
			continue;
		total += (double)info.run_time_ns;
		printf("program %-12s run_cnt %" PRIu64 " run_time_ns %" PRIu64
		       " each %.0f ns missed %" PRIu64 "\n",
		       name, (uint64_t)info.run_cnt, (uint64_t)info.run_time_ns,
		       info.run_cnt ? (double)info.run_time_ns / (double)info.run_cnt : 0,
		       (uint64_t)info.recursion_misses);
	}
	printf("programs: %.3f ms, %.4f %% of a CPU\n", total / 1e6, total / 1e7 / seconds);
}

static void print_self(double seconds)
{
	struct rusage usage;
	char line[256];
	_cleanup_fclose_ FILE *file = fopen("/proc/self/status", "re");

	getrusage(RUSAGE_SELF, &usage);
	printf("%u wake-ups, %u events, %u looks, %u sent, %u torn in %.1f s\n", n_wakeups,
	       n_events, n_looks, n_sent, n_torn, seconds);
	printf("self: %.3f ms user, %.3f ms system since the start\n",
	       (double)usage.ru_utime.tv_sec * 1e3 + (double)usage.ru_utime.tv_usec / 1e3,
	       (double)usage.ru_stime.tv_sec * 1e3 + (double)usage.ru_stime.tv_usec / 1e3);
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "Vm", 2) == 0 || strncmp(line, "Rss", 3) == 0)
			fputs(line, stdout);
}

static double cpu_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	struct counters_bpf_options options = {.step = {.rise1024 = 32,
							.fall1024 = 64,
							.rise_nsec = 1 * MSEC,
							.fall_nsec = 32 * MSEC}};
	enum counters_bpf_lack lack;
	uint64_t print_nsec = 0;
	double seconds = 5, opened;
	int c, r, stats_fd;

	while ((c = getopt(argc, argv, "qpvs:f:i:I:r:")) >= 0)
		if (c == 'q')
			quiet = true;
		else if (c == 'p')
			options.prompt = true;
		else if (c == 'v')
			options.print = print_libbpf;
		else if (c == 's')
			options.step.rise1024 = (uint16_t)atoi(optarg);
		else if (c == 'f')
			options.step.fall1024 = (uint16_t)atoi(optarg);
		else if (c == 'i')
			options.step.rise_nsec = (uint32_t)atoi(optarg) * 1000;
		else if (c == 'I')
			options.step.fall_nsec = (uint32_t)atoi(optarg) * 1000;
		else if (c == 'r')
			print_nsec = (uint64_t)atoi(optarg) * MSEC;
		else
			return EXIT_FAILURE;
	if (optind < argc)
		seconds = atof(argv[optind]);
	r = counters_bpf_open(&options, &bpf, &lack);
	if (r < 0) {
		fprintf(stderr, "no eBPF: %s (%s)\n", counters_bpf_lack_text(lack), strerror(-r));
		return EXIT_FAILURE;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats_fd < 0)
		fprintf(stderr, "no run times: %s\n", strerror(-stats_fd));
	opened = cpu_msec();
	start = now_nsec();
	r = watch(start + (uint64_t)(seconds * 1e9), print_nsec);
	printf("opening took %.3f ms of CPU, watching %.3f ms\n", opened, cpu_msec() - opened);
	print_all();
	print_programs(seconds);
	print_self(seconds);
	if (stats_fd >= 0)
		close(stats_fd);
	counters_bpf_close(bpf);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

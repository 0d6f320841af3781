/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/feeder.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "common/macro.h"
#include "common/rootfs.h"
#include "tests/lab/dvfs/feed.h"
#include "tests/lab/dvfs/hostside.h"
#include "tests/lab/dvfs/tracer.h"

#define PAGES_MAX   4
#define BEAT_USEC   250000
#define NOT_AT_ODDS UINT64_MAX
#define CPUFREQ	    "sys/devices/system/cpu/cpu%u/"

struct feeder {
	int root_fd;
	struct freqpage *page[PAGES_MAX]; /* all say the same */
	unsigned n_pages, n_tids;
	uint32_t vcpu[FREQPAGE_VCPUS], tid[FREQPAGE_VCPUS];
	struct tracer *tracer;
	/* Per CPU: changes so far, and how many when a beat last found the page at odds with sysfs.
	 */
	uint64_t changes[FREQPAGE_CPUS], at_odds[FREQPAGE_CPUS];
};

static volatile sig_atomic_t ending, beat_due;

static void on_signal(int number)
{
	if (number == SIGALRM)
		beat_due = 1;
	else
		ending = 1;
}

/* ---- what sysfs and /proc say */

_printf_(3, 4) static int read_number(int root_fd, uint64_t *ret, const char *format, ...)
{
	char path[256];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	return rootfs_read_u64(root_fd, path, ret);
}

static int read_cpu(int root_fd, unsigned cpu, struct freqpage_cpu *ret)
{
	uint64_t khz, max_khz, capacity;
	int r;

	r = read_number(root_fd, &khz, CPUFREQ "cpufreq/scaling_cur_freq", cpu);
	if (r == 0)
		r = read_number(root_fd, &max_khz, CPUFREQ "cpufreq/cpuinfo_max_freq", cpu);
	if (r < 0)
		return r;
	if (read_number(root_fd, &capacity, CPUFREQ "cpu_capacity", cpu) < 0)
		capacity = CAPACITY_SCALE; /* where all are alike the file need not be there */
	if (max_khz == 0 || max_khz > UINT32_MAX || khz > max_khz || capacity > CAPACITY_SCALE)
		return -EINVAL;
	*ret = (struct freqpage_cpu){
		.khz = (uint32_t)khz, .max_khz = (uint32_t)max_khz, .capacity = (uint32_t)capacity};
	return 0;
}

static int read_thread_cpu(int root_fd, uint32_t tid, uint32_t *ret)
{
	char path[64], text[1024];
	int r;

	snprintf(path, sizeof(path), "proc/%" PRIu32 "/stat", tid);
	r = rootfs_read(root_fd, path, text, sizeof(text));
	return r < 0 ? r : feed_parse_stat(text, ret);
}

static int fill_page(const struct feeder *f, struct freqpage *page)
{
	unsigned n = 0;

	memset(page, 0, sizeof(*page));
	while (n < FREQPAGE_CPUS && read_cpu(f->root_fd, n, &page->cpu[n]) == 0)
		n++;
	page->n_cpus = n;
	if (n == 0)
		return -ENODEV;
	for (unsigned i = 0; i < f->n_tids; i++) {
		struct freqpage_vcpu *vcpu = &page->vcpu[f->vcpu[i]];
		int r = read_thread_cpu(f->root_fd, f->tid[i], &vcpu->cpu);

		if (r < 0)
			return r;
		vcpu->tid = f->tid[i];
	}
	page->beat_nsec = hostside_now_nsec();
	return 0;
}

/* ---- pages */

static int make_file(const char *path)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat file;

	if (strchr(path, '@'))
		return 0;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &file) < 0)
		return -errno;
	if (file.st_size < FREQPAGE_SIZE && ftruncate(fd, FREQPAGE_SIZE) < 0)
		return -errno;
	return 0;
}

static int open_pages(struct feeder *f, char **paths, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int r = make_file(paths[i]);

		if (r == 0)
			f->page[i] = hostside_map(paths[i], FREQPAGE_SIZE);
		if (r == 0 && !f->page[i])
			r = -errno;
		if (r < 0) {
			fprintf(stderr, "feeder: %s: %s\n", paths[i], strerror(-r));
			return r;
		}
		f->n_pages++;
	}
	return 0;
}

/* ---- running */

static void put_right(struct feeder *f, unsigned cpu, uint32_t khz)
{
	for (unsigned i = 0; i < f->n_pages; i++) {
		FREQPAGE_SET(f->page[i]->cpu[cpu].khz, khz);
		FREQPAGE_SET(f->page[i]->wrong, f->page[i]->wrong + 1);
	}
}

/* Whether the page says what scaling_cur_freq says. An event may be on its way: only if none has
 * come by the next beat, and the two are still at odds, one was missed. */
static void check_cpu(struct feeder *f, unsigned cpu)
{
	uint64_t khz;

	if (read_number(f->root_fd, &khz, CPUFREQ "cpufreq/scaling_cur_freq", cpu) < 0 ||
	    khz > UINT32_MAX || khz == f->page[0]->cpu[cpu].khz) {
		f->at_odds[cpu] = NOT_AT_ODDS;
	} else if (f->at_odds[cpu] == f->changes[cpu]) {
		put_right(f, cpu, (uint32_t)khz);
		f->at_odds[cpu] = NOT_AT_ODDS;
	} else {
		f->at_odds[cpu] = f->changes[cpu];
	}
}

static void beat(struct feeder *f)
{
	beat_due = 0;
	for (unsigned cpu = 0; cpu < f->page[0]->n_cpus; cpu++)
		check_cpu(f, cpu);
	for (unsigned i = 0; i < f->n_pages; i++)
		FREQPAGE_SET(f->page[i]->beat_nsec, hostside_now_nsec());
}

static void take_line(struct feeder *f, const char *line)
{
	struct feed_event event;
	uint64_t stored_usec;
	bool stored = false;

	if (!feed_parse(line, &event))
		return;
	for (unsigned i = 0; i < f->n_pages; i++)
		stored = feed_apply(f->page[i], &event);
	if (!stored)
		return;
	f->changes[event.cpu]++;
	stored_usec = hostside_now_nsec() / NSEC_PER_USEC;
	for (unsigned i = 0; i < f->n_pages; i++)
		feed_count_late(f->page[i], event.at_usec, stored_usec);
}

static int feed(struct feeder *f)
{
	const char *line;
	int r = 0;

	for (unsigned cpu = 0; cpu < FREQPAGE_CPUS; cpu++)
		f->at_odds[cpu] = NOT_AT_ODDS;

	while (!ending) {
		r = tracer_read_line(f->tracer, &line);
		if (r == 0)
			take_line(f, line);
		else if (r != -EINTR)
			break;
		if (beat_due)
			beat(f);
	}
	return ending ? 0 : r;
}

/* Without SA_RESTART, so that a signal ends the wait for events. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct itimerval every = {.it_interval.tv_usec = BEAT_USEC, .it_value.tv_usec = BEAT_USEC};

	ending = beat_due = 0;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
}

static void print_sum(const struct freqpage *page)
{
	static const uint64_t none[FREQPAGE_BUCKETS];

	printf("changes %" PRIu64 " late mean %.1f p50 <%" PRIu64 " p99 <%" PRIu64 " max %" PRIu64
	       " us lost %" PRIu64 " wrong %" PRIu64 "\n",
	       page->events,
	       page->events > 0 ? (double)page->late_usec / (double)page->events : 0.0,
	       freqpage_late_usec(none, page->late, 500), freqpage_late_usec(none, page->late, 990),
	       page->late_max_usec, page->lost, page->wrong);
}

/* Events are recorded before the files are read, so that no change is between the two. */
static int run(struct feeder *f)
{
	const char *what;
	int r = tracer_open(f->root_fd, f->tid, f->n_tids, &f->tracer, &what);

	for (unsigned i = 0; r == 0 && i < f->n_pages; i++) {
		what = "cpufreq, or a thread";
		r = fill_page(f, f->page[i]);
		if (r == 0)
			freqpage_publish(f->page[i]);
	}
	if (r == 0) {
		what = "trace_pipe";
		catch_signals();
		r = feed(f);
		setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
		print_sum(f->page[0]);
	}
	if (f->tracer)
		tracer_close(f->tracer);
	if (r < 0)
		fprintf(stderr, "feeder: %s: %s\n", what, strerror(-r));
	return r < 0;
}

static bool parse_vcpu(struct feeder *f, const char *text)
{
	char *end;
	unsigned long vcpu = strtoul(text, &end, 10), tid;

	if (end == text || *end != ':' || vcpu >= FREQPAGE_VCPUS || f->n_tids == FREQPAGE_VCPUS)
		return false;
	text = end + 1;
	tid = strtoul(text, &end, 10);
	if (end == text || *end != '\0' || tid == 0 || tid > INT32_MAX)
		return false;
	f->vcpu[f->n_tids] = (uint32_t)vcpu;
	f->tid[f->n_tids++] = (uint32_t)tid;
	return true;
}

int feeder_main(int argc, char **argv)
{
	struct feeder f = {};
	const char *root = "/";
	bool ok = true;
	int i, r;

	for (i = 1; ok && i + 1 < argc && argv[i][0] == '-'; i += 2)
		if (strcmp(argv[i], "--root") == 0)
			root = argv[i + 1];
		else
			ok = strcmp(argv[i], "--vcpu") == 0 && parse_vcpu(&f, argv[i + 1]);
	if (!ok || i >= argc || argc - i > PAGES_MAX || argv[i][0] == '-') {
		fprintf(stderr,
			"usage: feeder [--root DIR] [--vcpu INDEX:TID]... PAGE[@OFFSET]...\n");
		return 2;
	}
	f.root_fd = rootfs_open(root);
	if (f.root_fd < 0) {
		fprintf(stderr, "feeder: %s: %s\n", root, strerror(-f.root_fd));
		return 1;
	}
	r = open_pages(&f, argv + i, (unsigned)(argc - i)) < 0 || run(&f) != 0;
	while (f.n_pages > 0)
		munmap(f.page[--f.n_pages], FREQPAGE_SIZE);
	close(f.root_fd);
	return r;
}

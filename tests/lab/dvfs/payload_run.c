/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/lab/dvfs/payload_run.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/macro.h"
#include "tests/lab/dvfs/clocks.h"
#include "tests/lab/dvfs/hostside.h"
#include "tests/lab/dvfs/mailbox.h"

#define NSEC_PER_MSEC	 UINT64_C(1000000)
#define BOOT_NSEC	 (60000 * NSEC_PER_MSEC)
#define ANSWER_NSEC	 (30000 * NSEC_PER_MSEC)
#define LOOK_NSEC	 (50 * NSEC_PER_MSEC)
#define PINGS		 200
#define START_DELAY_NSEC (1500 * NSEC_PER_MSEC) /* the payload is asleep, and cold again */

/* Says why not, as all of these do. */
static int fail(const char *why)
{
	fprintf(stderr, "payload-run: %s\n", why);
	return -EINVAL;
}

/* ---- the guest's memory */

static bool is_ram(const char *path)
{
	struct stat file;

	return stat(path, &file) == 0 && S_ISREG(file.st_mode) &&
	       (uint64_t)file.st_size == MAILBOX_RAM_SIZE;
}

/* QEMU's memory-backend-memfd or -file has no name that is always there, but its descriptor is
 * known by its size. */
static int find_ram(const char *pid, char *ret, size_t size)
{
	char dir[64];
	DIR *fds;
	const struct dirent *entry;
	int n = 0;

	snprintf(dir, sizeof(dir), "/proc/%s/fd", pid);
	fds = opendir(dir);
	while (fds && (entry = readdir(fds))) {
		char path[sizeof(dir) + sizeof(entry->d_name)];

		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (is_ram(path) && n++ == 0)
			snprintf(ret, size, "%s", path);
	}
	if (fds)
		closedir(fds);
	return n == 0 ? fail("the process has no shared memory of 64 MiB") : 0;
}

/* ---- talking to the payload */

/* Waits until the payload is in that state. */
static int await(const struct mailbox *mailbox, uint32_t state, uint64_t for_nsec)
{
	uint64_t until_nsec = hostside_now_nsec() + for_nsec;
	char why[160];

	while (MAILBOX_GET(mailbox->magic) != MAILBOX_MAGIC ||
	       MAILBOX_GET(mailbox->state) != state) {
		if (MAILBOX_GET(mailbox->fault_esr) != 0) {
			snprintf(why, sizeof(why),
				 "the payload took an exception: esr %#" PRIx64 " elr %#" PRIx64
				 " far %#" PRIx64,
				 mailbox->fault_esr, mailbox->fault_elr, mailbox->fault_far);
			return fail(why);
		}
		if (hostside_now_nsec() > until_nsec) {
			snprintf(why, sizeof(why),
				 "the payload is in state %" PRIu32 ", not %" PRIu32,
				 mailbox->state, state);
			return fail(why);
		}
		hostside_sleep_until(hostside_now_nsec() + LOOK_NSEC);
	}
	return mailbox->version == MAILBOX_VERSION ? 0 : fail("another version of the payload");
}

static int ping(struct mailbox *mailbox, struct clocks *clocks)
{
	uint64_t number = mailbox->ping + 1, asked_nsec = hostside_now_nsec(), now_nsec;

	MAILBOX_SET(mailbox->ping, number);
	do {
		now_nsec = hostside_now_nsec();
		if (now_nsec - asked_nsec > ANSWER_NSEC)
			return fail("no answer to a ping");
	} while (MAILBOX_GET(mailbox->pong) != number);
	clocks_add(clocks, asked_nsec, hostside_now_nsec(), mailbox->pong_count);
	return 0;
}

static int measure_clocks(struct mailbox *mailbox, struct clocks *ret)
{
	int r;

	*ret = (struct clocks){.hz = mailbox->counter_hz};
	MAILBOX_SET(mailbox->command, MAILBOX_PING);
	r = await(mailbox, MAILBOX_PINGING, ANSWER_NSEC);
	for (unsigned i = 0; r == 0 && i < PINGS; i++)
		r = ping(mailbox, ret);
	MAILBOX_SET(mailbox->command, MAILBOX_IDLE);
	return r < 0 ? r : await(mailbox, MAILBOX_READY, ANSWER_NSEC);
}

/* Each vCPU has to know its frequency and its preemption: else its work would be counted wrongly.
 */
static int check_vcpus(const struct mailbox *mailbox, const struct timetable *t)
{
	const struct freqpage *page = (const struct freqpage *)mailbox->page;

	if (mailbox->n_vcpus < t->n_cpus)
		return fail("the domain has fewer vCPUs than the timetable");
	if (!hostside_page_is_fed(page))
		return fail("no feeder keeps the page in the guest's memory");
	for (uint32_t i = 0; i < t->n_cpus; i++)
		if (page->vcpu[i].tid == 0)
			return fail("the feeder wasn't told each vCPU's thread (--vcpu)");
	return 0;
}

/* ---- a run */

struct result {
	struct clocks before, after;
	struct freqpage page; /* before */
	uint64_t start_nsec;
};

static int carry(struct mailbox *mailbox, const struct timetable *t, struct result *ret)
{
	uint64_t length_nsec = (t->length_usec + DISPATCH_GRACE_USEC) * NSEC_PER_USEC;
	int r = measure_clocks(mailbox, &ret->before);

	if (r < 0)
		return r;
	mailbox->timetable = *t;
	memcpy(&ret->page, mailbox->page, sizeof(ret->page));
	ret->start_nsec = hostside_now_nsec() + START_DELAY_NSEC;
	ret->start_nsec -= ret->start_nsec % NSEC_PER_USEC;
	mailbox->start_count = clocks_count_at(&ret->before, ret->start_nsec);
	MAILBOX_SET(mailbox->command, MAILBOX_RUN);
	/* for who sends its reports */
	printf("start %" PRIu64 "\n", ret->start_nsec / NSEC_PER_USEC);
	fflush(stdout);
	hostside_sleep_until(ret->start_nsec + t->length_usec * NSEC_PER_USEC);
	r = await(mailbox, MAILBOX_DONE, length_nsec + ANSWER_NSEC);
	MAILBOX_SET(mailbox->command, MAILBOX_IDLE);
	if (r == 0)
		r = await(mailbox, MAILBOX_READY, ANSWER_NSEC);
	return r < 0 ? r : measure_clocks(mailbox, &ret->after);
}

static void print_vcpus(FILE *file, const struct mailbox *mailbox)
{
	static const char *const sources[] = {"UNKNOWN", "KVM's steal time", "the feeder's page"};

	for (uint32_t i = 0; i < mailbox->timetable.n_cpus; i++) {
		uint64_t steps = mailbox->steps[i];

		fprintf(file,
			"# vCPU %" PRIu32 ": stolen %" PRIu64 " us by %s, of it asleep %" PRIu64
			" us; work counted every %.1f us, in all %" PRIu64 " us\n",
			i, mailbox->stolen_nsec[i] / 1000, sources[mailbox->steal[i] % 3],
			mailbox->asleep_nsec[i] / 1000,
			steps > 0 ? (double)mailbox->step_nsec[i] / (double)steps / 1000 : 0.0,
			mailbox->step_nsec[i] / 1000);
	}
}

static int write_log(const struct mailbox *mailbox, const char *path, const struct result *result)
{
	_cleanup_free_ char *lines = NULL;
	struct hostside_log log = {.carrier = "payload: bare metal in a domain's vCPUs",
				   .start_usec = result->start_nsec / NSEC_PER_USEC,
				   .before = &result->page,
				   .after = (const struct freqpage *)mailbox->page};
	size_t size;
	FILE *file = open_memstream(&lines, &size);

	if (!file)
		return -errno;
	fprintf(file,
		"# clock: %" PRIu64
		" Hz, known to %.1f us; off by %.1f us at the end, known to %.1f us\n",
		result->before.hz, (double)result->before.error_nsec / 1000,
		(double)clocks_drift_nsec(&result->before, &result->after) / 1000,
		(double)result->after.error_nsec / 1000);
	print_vcpus(file, mailbox);
	fclose(file);
	if (!lines)
		return -ENOMEM;
	log.lines = lines;
	return hostside_write_log(path, &log, &mailbox->timetable, &mailbox->dispatch);
}

static int run(struct mailbox *mailbox, const char *timetable, const char *out)
{
	_cleanup_free_ struct timetable *t = hostside_timetable("payload-run", timetable);
	struct result result;
	int r;

	if (!t)
		return 1;
	hostside_stand_aside(t);
	r = await(mailbox, MAILBOX_READY, BOOT_NSEC);
	if (r == 0)
		r = check_vcpus(mailbox, t);
	if (r == 0)
		r = carry(mailbox, t, &result);
	if (r < 0)
		return 1;
	r = write_log(mailbox, out, &result);
	if (r < 0)
		fprintf(stderr, "payload-run: %s: %s\n", out, strerror(-r));
	return r < 0 || !hostside_page_is_fed((const struct freqpage *)mailbox->page);
}

/* ---- the program */

static int usage(void)
{
	fprintf(stderr, "usage: payload-run --ram FILE|--pid PID page|off|TIMETABLE OUT\n");
	return 2;
}

int payload_run_main(int argc, char **argv)
{
	char ram[512], place[sizeof(ram) + 32];
	struct mailbox *mailbox;
	int r = 0;

	if (argc < 4 || argc > 5 ||
	    (argc == 4) != (strcmp(argv[3], "page") == 0 || strcmp(argv[3], "off") == 0))
		return usage();
	if (strcmp(argv[1], "--pid") == 0) {
		if (find_ram(argv[2], ram, sizeof(ram)) < 0)
			return 1;
	} else if (strcmp(argv[1], "--ram") == 0 && strlen(argv[2]) < sizeof(ram)) {
		strcpy(ram, argv[2]);
	} else {
		return usage();
	}
	if (strcmp(argv[3], "page") == 0) {
		printf("%s@%#" PRIx64 "\n", ram,
		       MAILBOX_OFFSET + (uint64_t)offsetof(struct mailbox, page));
		return 0;
	}
	snprintf(place, sizeof(place), "%s@%#" PRIx64, ram, MAILBOX_OFFSET);
	mailbox = hostside_map(place, sizeof(*mailbox));
	if (!mailbox) {
		fprintf(stderr, "payload-run: %s: %s\n", ram, strerror(errno));
		return 1;
	}
	if (argc == 5)
		r = run(mailbox, argv[3], argv[4]);
	else
		MAILBOX_SET(mailbox->command, MAILBOX_OFF);
	munmap(mailbox, sizeof(*mailbox));
	return r;
}

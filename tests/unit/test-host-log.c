/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What hostd as a whole says in its log: changes, each once, whatever guests and the kernel do; and
 * that it never waits for whoever reads it. A write can be made to fail: linked with
 * --wrap=rootfs_write. */
#include "tests/unit/test_host.h"

#include <sys/un.h>

#include "common/log.h"
#include "hostd/host_private.h"

/* What is written to files whose path ends so fails, with an error that may pass. */
static const char *busy_file;

int __real_rootfs_write(int root_fd, const char *path, const char *text);
int __wrap_rootfs_write(int root_fd, const char *path, const char *text);

int __wrap_rootfs_write(int root_fd, const char *path, const char *text)
{
	size_t n = strlen(path), end = busy_file ? strlen(busy_file) : 0;

	if (busy_file && n >= end && strcmp(path + n - end, busy_file) == 0)
		return -EBUSY;
	return __real_rootfs_write(root_fd, path, text);
}

/* From here to end_log() the log is a file: returns what stderr was. */
static int begin_log(struct fixture *f)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -EBADF;
	int saved = dup(STDERR_FILENO);

	assert_true(asprintf(&path, "%s/log", f->root) > 0);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	return saved;
}

/* How many lines have this in them. */
static unsigned end_log(struct fixture *f, int saved, const char *words[], unsigned counts[],
			unsigned n)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	char line[2048];
	unsigned lines = 0;

	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	assert_true(asprintf(&path, "%s/log", f->root) > 0);
	file = fopen(path, "re");
	assert_non_null(file);
	for (; fgets(line, sizeof(line), file); lines++)
		for (unsigned i = 0; i < n; i++)
			counts[i] += strstr(line, words[i]) != NULL;
	return lines;
}

/* A guest that connects and goes a thousand times doesn't fill the log, nor hide another's lines.
 */
static void test_flapping_guest(void **state)
{
	const char *words[] = {"reports over CID", "dropped", "refused: CID 99 "};
	unsigned counts[3] = {}, lines;
	struct fixture *f = *state;
	uint64_t begin_usec, end_usec;
	int saved;

	start_host(f, false);
	sd_event_run(f->event, 0);
	sd_event_now(f->event, CLOCK_MONOTONIC, &begin_usec);
	saved = begin_log(f);
	for (unsigned i = 0; i < 1000; i++) {
		call_from(f, CID, PORT);
		write_hello(f);
		while (sd_event_run(f->event, 0) > 0)
			;
	}
	call_from(f, 99, PORT);
	sd_event_run(f->event, 0);
	sd_event_now(f->event, CLOCK_MONOTONIC, &end_usec);
	lines = end_log(f, saved, words, counts, ARRAY_SIZE(words));
	/* Ten in 30 s; the machine may take longer than that for a thousand. */
	EXPECT(lines <= 12 + 10 * ((end_usec - begin_usec) / (30 * USEC_PER_SEC) + 1), "%u lines",
	       lines);
	assert_true(counts[0] >= 1);
	assert_int_equal(counts[2], 1);
	assert_true(host_counts(f->host)->accepted == 1001);
}

/* Silence is said when it begins and when it ends, not at each look. */
static void test_silence_is_said_once(void **state)
{
	const char *words[] = {"its guest is silent", "its guest reports again"};
	unsigned counts[2] = {};
	struct fixture *f = *state;
	int saved;

	start_with_guest(f);
	saved = begin_log(f);
	send_report(f, 0, 900, 300);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	settle(f);
	send_report(f, 0, 900, 60000);
	send_report(f, 0, 800, 60000);
	end_log(f, saved, words, counts, ARRAY_SIZE(words));
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
}

/* What can't be written is said once, not at each report. */
static void test_failing_write_is_said_once(void **state)
{
	const char *words[] = {"can't be set", "can be set again"};
	unsigned counts[2] = {};
	_cleanup_free_ char *from = NULL, *to = NULL;
	struct fixture *f = *state;
	int saved;

	assert_true(asprintf(&from, "%s/" VCPU "1/cpu.uclamp.min", f->root) > 0);
	assert_true(asprintf(&to, "%s/kept", f->root) > 0);
	start_with_guest(f);
	saved = begin_log(f);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(mkdir(from, 0755), 0);
	for (uint16_t util = 300; util < 900; util = (uint16_t)(util + 100))
		send_report(f, 0, util, 60000);
	end_log(f, saved, words, counts, ARRAY_SIZE(words));
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 0);
	assert_int_equal(rmdir(from), 0);
	assert_int_equal(rename(to, from), 0);
}

/* That it can be written again is said once, too, and not because the vCPU's CPUs could be set
 * meanwhile; and nothing of the vCPU that always could be. */
static void test_recovered_write_is_said_once(void **state)
{
	const char *words[] = {"vCPU 1 (thread 1002) can't be set: Device or resource busy",
			       "vCPU 1 can be set again", "vCPU 0"};
	unsigned counts[3] = {};
	struct fixture *f = *state;
	struct cpumask place;
	int saved;

	start_with_guest(f);
	saved = begin_log(f);
	busy_file = "/vcpu1/cpu.uclamp.min";
	send_report(f, 500, 300, 60000);
	place = f->host->domains[0]->vcpus[1].have.cpus;
	send_report(f, 500, 600, 60000);
	while (cpumask_equal(&f->host->domains[0]->vcpus[1].have.cpus, &place))
		sd_event_run(f->event, 20000); /* on to other cores, as its demand has risen */
	busy_file = NULL;
	send_report(f, 700, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max"); /* by itself, when its time has come */
	send_report(f, 600, 500, 60000);
	send_report(f, 700, 900, 60000);
	end_log(f, saved, words, counts, ARRAY_SIZE(words));
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 0);
}

/* journald is stopped and takes nothing: the guest gets its floor all the same. alarm() ends a test
 * that waits for it. */
static void test_journald_is_stopped(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int saved = dup(STDERR_FILENO), stream[2];
	struct fixture *f = *state;
	struct stat stat;
	char text[64];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/journal", f->root);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
	assert_true(dup2(stream[0], STDERR_FILENO) >= 0);
	assert_int_equal(fstat(STDERR_FILENO, &stat), 0);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	log_open(address.sun_path);
	alarm(60);
	for (unsigned i = 0; i < 20000; i++)
		log_info("nobody reads this");
	start_with_guest(f);
	send_report(f, 0, 900, 60000);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	alarm(0);
	log_open(NULL);
	unsetenv("JOURNAL_STREAM");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(stream[0]);
	close(stream[1]);
	close(fd);
}

/* At level debug each record of a report is a line, as it was received; else none is. */
static void test_reports_are_debug_lines(void **state)
{
	const char *words[] = {"g: report 1 of CID 42 came at ",
			       " us, sampled at 0 us: CPU 0 util_avg 300 util_est 300",
			       " us, sampled at 0 us: CPU 1 util_avg 900 util_est 900", "report "};
	unsigned counts[4] = {};
	struct fixture *f = *state;
	int saved;

	start_with_guest(f);
	saved = begin_log(f);
	log_set_level(LOG_DEBUG);
	send_report(f, 300, 900, 60000);
	log_set_level(LOG_INFO);
	send_report(f, 500, 700, 60000);
	end_log(f, saved, words, counts, ARRAY_SIZE(words));
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 1);
	assert_int_equal(counts[3], 2);
}

/* However many reports come, the log takes so many of them in a second, and says what is missing.
 */
static void test_report_lines_are_limited(void **state)
{
	const char *words[] = {"util_avg", "dropped"};
	unsigned counts[2] = {};
	struct fixture *f = *state;
	int saved;

	start_with_guest(f);
	f->host->domains[0]->report_log =
		(struct ratelimit){.interval_usec = 3600 * USEC_PER_SEC, .burst = 10};
	saved = begin_log(f);
	log_set_level(LOG_DEBUG);
	for (unsigned i = 0; i < 20; i++)
		send_report(f, 300, 900, 60000);
	f->host->domains[0]->report_log.begin_usec = 0;
	send_report(f, 300, 900, 60000);
	log_set_level(LOG_INFO);
	end_log(f, saved, words, counts, ARRAY_SIZE(words));
	assert_int_equal(counts[0], 12);
	assert_int_equal(counts[1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_flapping_guest),
		HOST_TEST(test_silence_is_said_once),
		HOST_TEST(test_failing_write_is_said_once),
		HOST_TEST(test_recovered_write_is_said_once),
		HOST_TEST(test_journald_is_stopped),
		HOST_TEST(test_reports_are_debug_lines),
		HOST_TEST(test_report_lines_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

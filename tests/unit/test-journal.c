/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* common/journal.c and the events of common/log.c, with a socket of our own in journald's place. */
#include "tests/unit/test.h"

#include <endian.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/journal.h"
#include "common/log.h"

/* What stands in for journald: its socket, and a stderr that is its stream. */
struct journald {
	char *dir;
	char path[108];
	int fd, saved_stderr, stream[2];
};

static int bind_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void name_stream(void)
{
	char text[64];
	struct stat stat;

	assert_int_equal(fstat(STDERR_FILENO, &stat), 0);
	snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", text, 1), 0);
}

static struct journald start_journald(void)
{
	struct journald journald = {.dir = test_make_dir()};

	snprintf(journald.path, sizeof(journald.path), "%s/socket", journald.dir);
	journald.fd = bind_socket(journald.path);
	journald.saved_stderr = dup(STDERR_FILENO);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, journald.stream), 0);
	assert_true(dup2(journald.stream[0], STDERR_FILENO) >= 0);
	name_stream();
	log_open(journald.path);
	return journald;
}

static void stop_journald(struct journald *journald)
{
	log_open(NULL);
	unsetenv("JOURNAL_STREAM");
	assert_true(dup2(journald->saved_stderr, STDERR_FILENO) >= 0);
	close(journald->saved_stderr);
	close(journald->stream[0]);
	close(journald->stream[1]);
	close(journald->fd);
	test_remove_dir(journald->dir);
}

/* The next entry, or what stderr has; "" if there is none. */
static size_t take(int fd, char *text, size_t size)
{
	ssize_t n = recv(fd, text, size - 1, MSG_DONTWAIT);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? 0 : (size_t)n;
}

static void test_fields(_unused_ void **state)
{
	static const uint8_t uuid[16] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
					 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
	struct journald journald = start_journald();
	char text[4096], expected[4096];
	unsigned vcpu = 0;

	log_event(LOG_NOTICE, EVENT_FLOOR_TAKEN,
		  LOG_FIELDS(.domain = "web1", .uuid = uuid, .cid = 42, .vcpu = &vcpu,
			     .reason = "why", .config_file = "/etc/f", .config_line = 7),
		  "%s: %d", "web1", 5);
	take(journald.fd, text, sizeof(text));
	snprintf(expected, sizeof(expected),
		 "MESSAGE=web1: 5\nPRIORITY=5\nMESSAGE_ID=" EVENT_FLOOR_TAKEN
		 "\nSYSLOG_IDENTIFIER=%s\nVMFREQ_DOMAIN=web1\n"
		 "VMFREQ_DOMAIN_UUID=12345678-9abc-def0-1234-56789abcdef0\nVMFREQ_CID=42\n"
		 "VMFREQ_VCPU=0\nCONFIG_FILE=/etc/f\nCONFIG_LINE=7\nVMFREQ_REASON=why\n",
		 program_invocation_short_name);
	assert_string_equal(text, expected);

	/* What isn't known isn't said; a plain line comes the same way. */
	log_error("plain");
	take(journald.fd, text, sizeof(text));
	snprintf(expected, sizeof(expected), "MESSAGE=plain\nPRIORITY=3\nSYSLOG_IDENTIFIER=%s\n",
		 program_invocation_short_name);
	assert_string_equal(text, expected);

	/* Nothing of all that on stderr, nothing below the level at all. */
	log_event(LOG_DEBUG, EVENT_STARTED, LOG_FIELDS(), "quiet");
	assert_int_equal(take(journald.fd, text, sizeof(text)), 0);
	assert_int_equal(take(journald.stream[1], text, sizeof(text)), 0);
	stop_journald(&journald);
}

/* A value of several lines can't pretend to be another field. */
static void test_lines(_unused_ void **state)
{
	static const struct journal_field field = {"MESSAGE", "a\nPRIORITY=0"};
	const uint64_t le_size = htole64(strlen(field.value));
	struct journald journald = start_journald();
	char text[4096], expected[64], *p = expected;
	size_t size = journal_put(text, sizeof(text), &field, 1);

	p = mempcpy(p, "MESSAGE\n", 8);
	p = mempcpy(p, &le_size, sizeof(le_size));
	p = mempcpy(p, "a\nPRIORITY=0\n", 13);
	assert_int_equal(size, p - expected);
	assert_memory_equal(text, expected, size);

	log_info("%s", field.value);
	assert_true(take(journald.fd, text, sizeof(text)) > size);
	assert_memory_equal(text, expected, size);
	stop_journald(&journald);
}

/* Nor on stderr, where there are lines alone. */
static void test_lines_on_stderr(_unused_ void **state)
{
	struct journald journald = start_journald();
	char text[256];

	log_open(NULL);
	log_info("a\n<0>b");
	take(journald.stream[1], text, sizeof(text));
	assert_string_equal(text, "<6>a <0>b\n");
	stop_journald(&journald);
}

static void test_sizes(_unused_ void **state)
{
	static const struct journal_field fields[] = {
		{"A", "1"}, {"B", "\n"}, {"C", NULL}, {"D", ""}};
	char text[64];

	for (size_t size = 0; size < sizeof(text); size++) {
		size_t n;

		memset(text, '!', sizeof(text));
		n = journal_put(text, size, fields, ARRAY_SIZE(fields));
		EXPECT(n <= size, "%zu: %zu", size, n);
		EXPECT(text[n] == '!', "%zu: wrote more than it says", size);
		EXPECT(n == (size >= 19	  ? 19U
			     : size >= 16 ? 16U
			     : size >= 7  ? 7U
			     : size >= 4  ? 4U
			     : size >= 3  ? 3U
					  : 0U),
		       "%zu: %zu", size, n);
	}
}

static void test_is_stream(_unused_ void **state)
{
	char right[64], wrong[64];
	struct stat stat;

	assert_int_equal(fstat(STDERR_FILENO, &stat), 0);
	snprintf(right, sizeof(right), "%ju:%ju", (uintmax_t)stat.st_dev, (uintmax_t)stat.st_ino);
	snprintf(wrong, sizeof(wrong), "%ju:%ju", (uintmax_t)stat.st_dev,
		 (uintmax_t)stat.st_ino + 1);
	assert_true(journal_is_stream(STDERR_FILENO, right));
	assert_false(journal_is_stream(STDERR_FILENO, wrong));
	assert_false(journal_is_stream(STDERR_FILENO, ""));
	assert_false(journal_is_stream(STDERR_FILENO, NULL));
	assert_false(journal_is_stream(-EBADF, right));
}

/* stderr went elsewhere since: what the variable says isn't ours. */
static void test_stderr_is_not_the_journal(_unused_ void **state)
{
	struct journald journald = start_journald();
	char text[256];

	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open(journald.path);
	log_event(LOG_INFO, EVENT_STARTED, LOG_FIELDS(.reason = "x"), "line");
	assert_int_equal(take(journald.fd, text, sizeof(text)), 0);
	take(journald.stream[1], text, sizeof(text));
	assert_string_equal(text, "<6>line\n");
	stop_journald(&journald);
}

/* journald's socket has gone: the line goes to its stream. It is back: the next goes to it. */
static void test_socket_goes_and_comes(_unused_ void **state)
{
	struct journald journald = start_journald();
	char text[4096];

	close(journald.fd);
	log_event(LOG_INFO, EVENT_STARTED, LOG_FIELDS(), "refused");
	assert_int_equal(unlink(journald.path), 0);
	log_event(LOG_INFO, EVENT_STARTED, LOG_FIELDS(), "gone");
	take(journald.stream[1], text, sizeof(text));
	assert_string_equal(text, "<6>refused\n<6>gone\n");
	journald.fd = bind_socket(journald.path);
	log_event(LOG_INFO, EVENT_STARTED, LOG_FIELDS(), "back");
	assert_true(take(journald.fd, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "MESSAGE=back\n"));
	stop_journald(&journald);
}

/* journald is stopped: its socket and its stream fill up. Whoever logs goes on, and hears later how
 * many lines that cost. alarm() ends a test that waits. */
static void test_full(_unused_ void **state)
{
	struct journald journald = start_journald();
	unsigned sent = 100000, heard = 0, lost = 0;
	char text[4096];
	const char *p;

	alarm(60);
	for (unsigned i = 0; i < sent; i++)
		log_event(LOG_INFO, EVENT_STARTED, LOG_FIELDS(.reason = "full"), "line %u", i);
	while (take(journald.fd, text, sizeof(text)) > 0)
		heard++;
	while (take(journald.stream[1], text, sizeof(text)) > 0)
		for (p = text; (p = strchr(p, '\n')); p++)
			heard++;
	assert_true(heard > 0 && heard < sent);
	log_info("again");
	assert_true(take(journald.fd, text, sizeof(text)) > 0);
	p = strstr(text, "lines lost, for the log took none: ");
	assert_non_null(p);
	assert_int_equal(sscanf(strrchr(p, ':'), ": %u", &lost), 1);
	assert_int_equal(heard + lost, sent);
	assert_true(take(journald.fd, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "MESSAGE=again\n"));
	alarm(0);
	stop_journald(&journald);
}

/* The same with a pipe, which knows no MSG_DONTWAIT. */
static void test_full_pipe(_unused_ void **state)
{
	int saved = dup(STDERR_FILENO), pair[2];
	char text[512];

	assert_int_equal(pipe(pair), 0);
	assert_true(dup2(pair[1], STDERR_FILENO) >= 0);
	alarm(60);
	for (unsigned i = 0; i < 20000; i++)
		log_info("line %u", i);
	alarm(0);
	assert_true(read(pair[0], text, sizeof(text)) > 7);
	assert_memory_equal(text, "<6>line 0\n", 10);
	for (ssize_t n = 1; n > 0;) {
		assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
		n = read(pair[0], text, sizeof(text));
	}
	log_info("again");
	assert_true(read(pair[0], text, sizeof(text) - 1) > 0);
	assert_memory_equal(text, "<4>lines lost, for the log took none: ", 38);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(pair[0]);
	close(pair[1]);
}

static void test_limited(_unused_ void **state)
{
	struct ratelimit limit = {.interval_usec = 1000, .burst = 2};
	struct journald journald = start_journald();
	char text[4096];

	for (uint64_t now = 5000; now < 5010; now++)
		log_event_limited(&limit, now, LOG_INFO, EVENT_GUEST_CONNECTED,
				  LOG_FIELDS(.domain = "web1"), "line %d", (int)now);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(take(journald.fd, text, sizeof(text)) > 0);
		assert_null(strstr(text, "dropped"));
	}
	assert_int_equal(take(journald.fd, text, sizeof(text)), 0);
	log_event_limited(&limit, 6000, LOG_INFO, EVENT_GUEST_CONNECTED,
			  LOG_FIELDS(.domain = "web1"), "line %d", 11);
	assert_true(take(journald.fd, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "MESSAGE=line 11 (8 lines before this were dropped)\n"));
	stop_journald(&journald);
}

static void test_complaint(_unused_ void **state)
{
	struct journald journald = start_journald();
	char text[4096];

	log_complaint(NULL, true, "/etc/vmfreq.conf", 12, "no such key");
	assert_true(take(journald.fd, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "MESSAGE=/etc/vmfreq.conf:12: no such key\nPRIORITY=3\n"));
	assert_non_null(strstr(text, "\nMESSAGE_ID=" EVENT_CONFIG_WRONG "\n"));
	assert_non_null(strstr(text, "\nCONFIG_FILE=/etc/vmfreq.conf\nCONFIG_LINE=12\n"));
	assert_non_null(strstr(text, "\nVMFREQ_REASON=no such key\n"));
	log_complaint(NULL, false, "/etc/vmfreq.conf", 0, "it is old");
	assert_true(take(journald.fd, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "MESSAGE=/etc/vmfreq.conf: it is old\nPRIORITY=4\n"));
	assert_null(strstr(text, "CONFIG_LINE"));
	stop_journald(&journald);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_lines_on_stderr),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_is_stream),
		cmocka_unit_test(test_stderr_is_not_the_journal),
		cmocka_unit_test(test_socket_goes_and_comes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_pipe),
		cmocka_unit_test(test_limited),
		cmocka_unit_test(test_complaint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

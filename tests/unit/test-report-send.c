/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tests/lab/report-send as a host sees it that listens for tests: this one is the test itself. */
#include "tests/unit/test.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "hostd/testing_preamble.h"
#include "proto/message.h"

#define PROGRAM "tests/lab/report-send"
#define CID	42U

struct fixture {
	char *dir, path[256];
	int listener, peer, in; /* report-send's end of the socket, and its stdin */
	FILE *out;		/* its stdout and stderr */
	pid_t child;
	uint64_t start_usec;
	struct frame_decoder decoder;
	struct message_hello hello;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	assert_non_null(f);
	f->dir = test_make_dir();
	f->peer = f->in = -EBADF;
	snprintf(f->path, sizeof(f->path), "%s/listen", f->dir);
	assert_true(strlen(f->path) < sizeof(address.sun_path));
	strcpy(address.sun_path, f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	closep(&f->in);
	closep(&f->peer);
	closep(&f->listener);
	if (f->out)
		fclose(f->out);
	if (f->child > 0)
		waitpid(f->child, NULL, 0);
	test_remove_dir(f->dir);
	free(f);
	return 0;
}

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/* Starts it with these words, NULL at their end. */
static void run_words(struct fixture *f, const char *const words[])
{
	char *argv[16] = {(char *)"report-send"};
	int in[2], out[2];

	for (unsigned i = 0; words[i]; i++)
		argv[i + 1] = (char *)words[i];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	f->child = fork();
	assert_true(f->child >= 0);
	if (f->child == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		execv(PROGRAM, argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	f->in = in[1];
	f->out = fdopen(out[0], "r");
	assert_non_null(f->out);
}

static void read_exactly(int fd, void *to, size_t size)
{
	for (size_t n = 0; n < size;) {
		ssize_t got = read(fd, (char *)to + n, size - n);

		assert_true(got > 0);
		n += (size_t)got;
	}
}

/* Starts it with options, NULL at their end, and takes its call as far as its HELLO. */
static void run(struct fixture *f, const char *const options[])
{
	uint8_t wanted[TESTING_PREAMBLE], preamble[TESTING_PREAMBLE];
	const char *words[16] = {};
	unsigned n = 0;

	while (options[n]) {
		words[n] = options[n];
		n++;
	}
	words[n++] = f->path;
	words[n] = "42";
	run_words(f, words);
	/* A generous guard: it may have ended. */
	assert_int_equal(poll(&(struct pollfd){.fd = f->listener, .events = POLLIN}, 1, 60000), 1);
	f->peer = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(f->peer >= 0);
	read_exactly(f->peer, preamble, sizeof(preamble));
	testing_preamble_put(wanted, CID);
	assert_memory_equal(preamble, wanted, sizeof(wanted));
	frame_decoder_init(&f->decoder);
}

/* The next frame; false at the end of the connection. */
static bool next_frame(struct fixture *f, struct frame *ret)
{
	int r;

	while ((r = frame_decoder_next(&f->decoder, ret)) == 0) {
		size_t room;
		uint8_t *space = frame_decoder_space(&f->decoder, &room);
		ssize_t n = read(f->peer, space, room);

		if (n <= 0)
			return false;
		frame_decoder_commit(&f->decoder, (size_t)n);
	}
	assert_int_equal(r, 1);
	return true;
}

static struct message next_message(struct fixture *f)
{
	struct message message;
	struct frame frame;

	assert_true(next_frame(f, &frame));
	assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
	return message;
}

/* The next REPORT that has records: a slow machine may have to renew before it. */
static struct message next_report(struct fixture *f)
{
	struct message message;

	do {
		message = next_message(f);
		assert_int_equal(message.type, MESSAGE_REPORT);
	} while (message.report.n_vcpus == 0);
	return message;
}

static void write_frame(struct fixture *f, const uint8_t *frame, int size)
{
	assert_true(size > 0);
	assert_int_equal(send(f->peer, frame, (size_t)size, MSG_NOSIGNAL), size);
}

/* The host's HELLO; then the start is known, and the first report is taken. */
static void greet(struct fixture *f, uint32_t lease_max_msec)
{
	static const struct message_hello reply = {.major = PROTO_MAJOR,
						   .minor = PROTO_MINOR,
						   .fields = 1U << HELLO_AGENT |
							     1U << HELLO_LEASE_MAX,
						   .agent = "test"};
	static struct message_hello hello;
	static uint8_t buffer[FRAME_MAX];
	unsigned long long start;
	struct frame frame;

	assert_true(next_frame(f, &frame));
	assert_int_equal(hello_parse(&frame, &f->hello), 0);
	assert_true(hello_is_of_guest(&f->hello));
	hello = reply;
	hello.lease_max_msec = lease_max_msec;
	write_frame(f, buffer, hello_put(buffer, sizeof(buffer), &hello));
	assert_int_equal(fscanf(f->out, "start %llu", &start), 1);
	f->start_usec = start;
	assert_int_equal(next_report(f).report.n_vcpus, f->hello.n_cpus);
}

static void write_lines(struct fixture *f, const char *lines)
{
	assert_int_equal(write(f->in, lines, strlen(lines)), strlen(lines));
}

/* How it ended; *ret_said is the last line that it has printed. */
static int end(struct fixture *f, char *ret_said, size_t size)
{
	int status = 0;

	if (f->in >= 0)
		close(TAKE_FD(f->in));
	ret_said[0] = '\0';
	while (fgets(ret_said, (int)size, f->out))
		;
	assert_int_equal(waitpid(f->child, &status, 0), f->child);
	f->child = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_bye(struct fixture *f)
{
	struct message message;

	do
		message = next_message(f);
	while (message.type == MESSAGE_REPORT && message.report.n_vcpus == 0);
	assert_int_equal(message.type, MESSAGE_BYE);
	assert_int_equal(message.bye.code, BYE_SHUTDOWN);
}

static void test_a_timetable(void **state)
{
	struct fixture *f = *state;
	struct report_vcpu vcpu;
	struct message message;
	unsigned long long lines, reports;
	char said[256];

	run(f, (const char *[]){"--cpus=2", "--lease=60000", "--invariant", NULL});
	greet(f, 60000);
	assert_int_equal(f->hello.n_cpus, 2);
	assert_int_equal(f->hello.cpu[1].id, 1);
	assert_int_equal(f->hello.signal, SIGNAL_EBPF);
	assert_true(f->hello.invariant);
	write_lines(f, "# two at once\n\n0 0 300 400 1\n0 1 995 500 -\n2000 0 0 0 0\n");
	close(TAKE_FD(f->in));
	message = next_report(f);
	assert_int_equal(message.report.n_vcpus, 2);
	assert_int_equal(message.report.stamp_usec, f->start_usec);
	assert_int_equal(message.report.lease_msec, 60000);
	report_vcpu(&message.report, 0, &vcpu);
	assert_int_equal(vcpu.util_avg, 300);
	assert_int_equal(vcpu.util_est, 400);
	assert_int_equal(vcpu.runnable, 1);
	assert_int_equal(vcpu.flags, 0);
	report_vcpu(&message.report, 1, &vcpu);
	assert_int_equal(vcpu.util_avg, 995);
	assert_int_equal(vcpu.util_est, 995); /* it is never less */
	assert_int_equal(vcpu.runnable, PROTO_UNKNOWN_U16);
	assert_int_equal(vcpu.flags, VCPU_SATURATED);
	message = next_report(f);
	assert_int_equal(message.report.n_vcpus, 1);
	assert_int_equal(message.report.stamp_usec, f->start_usec + 2000);
	assert_true(now_usec() >= f->start_usec + 2000);
	report_vcpu(&message.report, 0, &vcpu);
	assert_int_equal(vcpu.cpu, 0);
	assert_int_equal(vcpu.util_est, 0);
	expect_bye(f);
	assert_int_equal(end(f, said, sizeof(said)), 0);
	assert_int_equal(sscanf(said, "lines %llu reports %llu", &lines, &reports), 2);
	assert_int_equal(lines, 3);
	assert_int_equal(reports, 3);
	assert_non_null(strstr(said, "late_max "));
}

/* Later by that much, though sampled when it was. */
static void test_delay(void **state)
{
	struct fixture *f = *state;
	struct message message;
	char said[256];

	run(f, (const char *[]){"--delay=50", "--lease=60000", NULL});
	greet(f, 60000);
	write_lines(f, "1000 0 300 400 1\n");
	message = next_report(f);
	assert_true(now_usec() >= f->start_usec + 51000);
	assert_int_equal(message.report.stamp_usec, f->start_usec + 1000);
	assert_int_equal(end(f, said, sizeof(said)), 0);
}

/* The start may be of the clock that whoever makes the load goes by. */
static void test_start(void **state)
{
	struct fixture *f = *state;
	uint64_t start = now_usec() - 7 * USEC_PER_SEC;
	char option[64], said[256];
	unsigned long long late;

	snprintf(option, sizeof(option), "--start=%llu", (unsigned long long)start);
	run(f, (const char *[]){option, "--lease=60000", NULL});
	greet(f, 60000);
	assert_int_equal(f->start_usec, start);
	write_lines(f, "0 0 300 400 1\n");
	assert_int_equal(next_report(f).report.stamp_usec, start);
	assert_int_equal(end(f, said, sizeof(said)), 0);
	assert_int_equal(sscanf(strstr(said, "late_max"), "late_max %llu", &late), 1);
	assert_true(late >= 7 * USEC_PER_SEC);
}

static void test_now(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[64];
	char said[256];

	run(f, (const char *[]){"--lease=60000", NULL});
	greet(f, 60000);
	/* What a host says to a guest besides changes nothing. */
	write_frame(f, frame, ping_put(frame, sizeof(frame), 1));
	write_frame(f, frame,
		    feedback_put(frame, sizeof(frame), 1, &(struct feedback_vcpu){.capacity = 1024},
				 1));
	for (unsigned i = 1; i < 5; i++) {
		uint64_t before = now_usec();
		struct report_vcpu vcpu;
		struct message message;
		char line[64];

		snprintf(line, sizeof(line), "now 0 %u %u 1\n", 200 * i, 200 * i);
		write_lines(f, line);
		message = next_report(f);
		report_vcpu(&message.report, 0, &vcpu);
		assert_int_equal(vcpu.util_est, 200 * i);
		assert_true(message.report.stamp_usec >= before);
		assert_true(message.report.stamp_usec <= now_usec());
	}
	assert_int_equal(end(f, said, sizeof(said)), 0);
	assert_non_null(strstr(said, " feedbacks 1 "));
}

/* As long as the host allows, and renewed though nothing comes any more. */
static void test_lease(void **state)
{
	struct fixture *f = *state;
	struct message message;
	uint64_t sent;
	char said[256];

	run(f, (const char *[]){"--lease=600", NULL});
	greet(f, 60);
	write_lines(f, "0 0 300 400 1\n");
	message = next_report(f);
	sent = message.report.stamp_usec;
	for (unsigned i = 0; i < 3; i++) {
		message = next_message(f);
		assert_int_equal(message.type, MESSAGE_REPORT);
		assert_int_equal(message.report.lease_msec, 60);
		assert_int_equal(message.report.n_vcpus, 0);
		assert_true(message.report.stamp_usec >= sent + 20000);
		sent = message.report.stamp_usec;
	}
	assert_int_equal(end(f, said, sizeof(said)), 0);
}

/* Each time has a report, but with --by-step only what guestd would think worth one. */
static void test_by_step(void **state)
{
	static const char lines[] = "0 0 400 400 1\n1000 0 410 410 1\n2000 0 450 450 1\n";
	static const struct {
		const char *option;
		unsigned n, wanted[3];
	} rows[] = {{"--step=31", 3, {400, 410, 450}}, {"--by-step", 2, {400, 450}}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture *f;
		char said[256];

		if (i > 0) {
			teardown(state);
			setup(state);
		}
		f = *state;
		run(f, (const char *[]){rows[i].option, "--lease=60000", NULL});
		greet(f, 60000);
		write_lines(f, lines);
		close(TAKE_FD(f->in));
		for (unsigned k = 0; k < rows[i].n; k++) {
			struct message message = next_report(f);
			struct report_vcpu vcpu;

			report_vcpu(&message.report, 0, &vcpu);
			EXPECT(vcpu.util_est == rows[i].wanted[k], "%s: report %u has %u",
			       rows[i].option, k, vcpu.util_est);
		}
		expect_bye(f);
		assert_int_equal(end(f, said, sizeof(said)), 0);
	}
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[128];
	struct frame hello;
	char said[256];

	run(f, (const char *[]){NULL});
	/* What is closed unread is a reset to the other end, which may then come before our word. */
	assert_true(next_frame(f, &hello));
	write_frame(f, frame,
		    bye_put(frame, sizeof(frame), BYE_REFUSED, "no running domain has this CID"));
	close(TAKE_FD(f->peer));
	assert_int_equal(end(f, said, sizeof(said)), 1);
	assert_non_null(strstr(said, "refused: no running domain has this CID"));
}

static void test_wrong_lines(void **state)
{
	static const struct {
		const char *lines, *said;
	} rows[] = {
		{"0 0 1 1\n", "line 1: not five words"},
		{"0 0 1 1 1 1\n", "line 1: not five words"},
		{"0 0 1 1 1\nsoon 0 1 1 1\n", "line 2: the time"},
		{"-1 0 1 1 1\n", "line 1: the time"},
		{"99999999999999999999 0 1 1 1\n", "line 1: the time"},
		{"5 0 1 1 1\n4 0 1 1 1\n", "line 2: its time is before"},
		{"0 1 1 1 1\n", "line 1: no such CPU"},
		{"0 0 1025 1 1\n", "line 1: a utilization"},
		{"0 0 1 1025 1\n", "line 1: a utilization"},
		{"0 0 1 1 65535\n", "line 1: RUNNABLE"},
		{"0 0 1 1 x\n", "line 1: RUNNABLE"},
		{"0 0 1 1 x", "line 1: RUNNABLE"},
	};
	char said[256];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fixture *f;

		if (i > 0) {
			teardown(state);
			setup(state);
		}
		f = *state;
		run(f, (const char *[]){NULL});
		greet(f, 60000);
		write_lines(f, rows[i].lines);
		EXPECT(end(f, said, sizeof(said)) == 65, "row %zu", i);
		EXPECT(strstr(said, rows[i].said), "'%s' says: %s", rows[i].lines, said);
	}
}

static void test_wrong_command_lines(void **state)
{
	static const char *const rows[][4] = {
		{NULL},
		{"path", NULL},
		{"path", "42", "more", NULL},
		{"path", "x", NULL},
		{"path", "4294967296", NULL},
		{"--cpus=0", "path", "42", NULL},
		{"--cpus=1025", "path", "42", NULL},
		{"--signal=psi", "path", "42", NULL},
		{"--nonsense", "path", "42", NULL},
	};
	struct fixture *f = *state;
	char said[256];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run_words(f, rows[i]);
		EXPECT(end(f, said, sizeof(said)) == 64, "row %zu", i);
		fclose(TAKE_PTR(f->out));
	}
	snprintf(f->path, sizeof(f->path), "%s/missing", f->dir);
	run_words(f, (const char *[]){f->path, "42", NULL});
	assert_int_equal(end(f, said, sizeof(said)), 1);
	assert_non_null(strstr(said, "No such file"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_timetable), TEST(test_delay),	TEST(test_start),
		TEST(test_now),		TEST(test_lease),	TEST(test_by_step),
		TEST(test_refused),	TEST(test_wrong_lines), TEST(test_wrong_command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

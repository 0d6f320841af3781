/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The testing listener of a whole hostd: who says a domain's CID is heard as its guest would be,
 * with all that is judged of a guest, and nobody can fail to see that it is so. */
#include "tests/unit/test_testing.h"

#include "ctl/status_text.h"
#include "hostd/host_private.h"
#include "hostd/testing_preamble.h"
#include "tests/unit/test_host.h"

static char *listen_path(struct fixture *f)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/listen", f->root);
	return path;
}

static void start_listening(struct fixture *f)
{
	f->host->options.testing_path = listen_path(f);
	assert_int_equal(host_testing_start(f->host), 0);
}

static void start(struct fixture *f)
{
	peer_uid = 0;
	start_host(f, false);
	start_listening(f);
}

/* f->guest becomes the client's end. */
static void dial_in(struct fixture *f)
{
	if (f->guest >= 0)
		close(f->guest);
	f->guest = dial(listen_path(f));
	assert_true(f->guest >= 0);
	f->sequence = 0;
}

static void write_all(struct fixture *f, const void *bytes, size_t size)
{
	assert_int_equal(send(f->guest, bytes, size, MSG_NOSIGNAL), size);
}

static void say_cid(struct fixture *f, uint32_t cid)
{
	uint8_t preamble[TESTING_PREAMBLE];

	testing_preamble_put(preamble, cid);
	write_all(f, preamble, sizeof(preamble));
	settle(f);
}

/* Whether hostd has closed, after everything that it may have sent. */
static bool is_closed(struct fixture *f)
{
	uint8_t buffer[4096];
	ssize_t n;

	settle(f);
	do
		n = recv(f->guest, buffer, sizeof(buffer), MSG_DONTWAIT);
	while (n > 0);
	return n == 0 || errno == ECONNRESET;
}

/* The type of the first frame that hostd has sent, 0 if there is none. */
static unsigned first_frame(struct fixture *f)
{
	uint8_t header[FRAME_HEADER] = {};

	settle(f);
	return recv(f->guest, header, sizeof(header), MSG_DONTWAIT) == sizeof(header) ? header[2]
										      : 0;
}

/* -- what it is for
 * -------------------------------------------------------------------------------*/

static void test_reports(void **state)
{
	struct fixture *f = *state;

	start(f);
	dial_in(f);
	say_cid(f, CID);
	send_hello(f);
	assert_int_equal(first_frame(f), MESSAGE_HELLO);
	assert_true(status_has(f, "\"agent\":\"test 1\""));
	send_report(f, 0, 900, 60000);
	assert_true(status_has(f, "\"util\":900"));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	close(TAKE_FD(f->guest));
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
}

/* The bench's client, in a process of its own: it reports, renews its lease, and is gone with its
 * timetable. */
static void test_report_send(void **state)
{
	struct fixture *f = *state;
	int in[2], status = 0;
	pid_t child;

	start(f);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(in[0], STDIN_FILENO);
		execl("tests/lab/report-send", "report-send", "--cpus=2", listen_path(f), "42",
		      (char *)NULL);
		_exit(127);
	}
	close(in[0]);
	assert_int_equal(write(in[1], "0 1 900 900 1\n", 14), 14);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	assert_true(status_has(f, "\"agent\":\"report-send (TESTING)\""));
	assert_false(status_has(f, "cpu_ids"));
	/* Twice its lease. */
	for (uint64_t now_usec, end_usec = 0;;) {
		sd_event_now(f->event, CLOCK_MONOTONIC, &now_usec);
		end_usec = end_usec > 0 ? end_usec : now_usec + 1200 * USEC_PER_MSEC;
		if (now_usec >= end_usec)
			break;
		assert_true(sd_event_run(f->event, 20000) >= 0);
	}
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	close(in[1]);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	assert_true(status_has(f, "\"connected\":false"));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* The preamble and the frames behind it may come in whatever pieces. */
static void test_pieces(void **state)
{
	static const size_t steps[] = {1, 2, 5, 11, 12, 13, 20, 21, 1000};
	uint8_t bytes[TESTING_PREAMBLE + FRAME_MAX];
	struct fixture *f = *state;
	size_t size;
	ssize_t n;
	int pair[2];

	/* What write_hello() writes. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	f->guest = pair[0];
	write_hello(f);
	n = read(pair[1], bytes + TESTING_PREAMBLE, FRAME_MAX);
	assert_true(n > 0);
	close(pair[1]);
	size = TESTING_PREAMBLE + (size_t)n;
	testing_preamble_put(bytes, CID);
	start(f);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		size_t step = steps[i];

		dial_in(f);
		for (size_t at = 0; at < size; at += step) {
			write_all(f, bytes + at, MIN(step, size - at));
			for (unsigned k = 0; k < 5; k++)
				sd_event_run(f->event, 0);
		}
		EXPECT(first_frame(f) == MESSAGE_HELLO, "in pieces of %zu", step);
	}
}

/* -- as a guest is judged
 * -------------------------------------------------------------------------*/

static void test_cids_of_no_domain(void **state)
{
	static const uint32_t cids[] = {0, 1, 2, CID - 1, CID + 1, UINT32_MAX};
	struct fixture *f = *state;

	start(f);
	for (size_t i = 0; i < ARRAY_SIZE(cids); i++) {
		dial_in(f);
		say_cid(f, cids[i]);
		EXPECT(first_frame(f) == MESSAGE_BYE, "CID %u", cids[i]);
		EXPECT(is_closed(f), "CID %u", cids[i]);
	}
	assert_int_equal(host_counts(f->host)->refused_cid, ARRAY_SIZE(cids));
	assert_int_equal(f->host->n_callers, 0);
}

static void test_frames_are_checked(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[64];
	int n = ping_put(frame, sizeof(frame), 1);

	start(f);
	dial_in(f);
	say_cid(f, CID);
	write_all(f, frame, (size_t)n); /* no HELLO */
	assert_int_equal(first_frame(f), MESSAGE_BYE);
	assert_true(is_closed(f));
	assert_int_equal(host_counts(f->host)->closed_by_code[BYE_PROTOCOL], 1);
}

static void test_a_lease_runs_out(void **state)
{
	struct fixture *f = *state;

	start(f);
	dial_in(f);
	say_cid(f, CID);
	send_hello(f);
	send_report(f, 0, 900, 500);
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "max");
	wait_for_file(f, VCPU "1/cpu.uclamp.min", "0.00");
	assert_true(status_has(f, "\"connected\":true"));
}

/* One connection a domain: also between the real guest's and one from here. */
static void test_the_newer_one_counts(void **state)
{
	struct fixture *f = *state;
	int guest;

	start(f);
	call_from(f, CID, PORT);
	send_hello(f);
	guest = dup(f->guest);
	dial_in(f);
	say_cid(f, CID);
	send_hello(f);
	assert_int_equal(first_frame(f), MESSAGE_HELLO);
	assert_int_equal(f->host->n_callers, 1);
	assert_int_equal(host_counts(f->host)->closed_by_code[BYE_REPLACED], 1);
	close(guest);
}

/* -- hostile clients
 * ------------------------------------------------------------------------------*/

static void test_only_root(void **state)
{
	struct fixture *f = *state;

	start(f);
	peer_uid = 1000;
	dial_in(f);
	assert_true(is_closed(f));
	assert_int_equal(host_counts(f->host)->accepted, 0);
	peer_uid = 0;
	dial_in(f);
	assert_false(is_closed(f));
}

static void test_no_preamble(void **state)
{
	struct fixture *f = *state;

	start(f);
	dial_in(f);
	send_hello(f);
	assert_true(is_closed(f));
	assert_int_equal(host_counts(f->host)->accepted, 0);
	assert_true(status_has(f, "\"connected\":false"));
}

static void test_too_much_before_the_cid(void **state)
{
	static const uint8_t zeros[65536];
	struct fixture *f = *state;

	start(f);
	dial_in(f);
	write_all(f, zeros, sizeof(zeros));
	assert_true(is_closed(f));
	assert_int_equal(host_counts(f->host)->accepted, 0);
}

static void test_gone_before_the_cid(void **state)
{
	uint8_t preamble[TESTING_PREAMBLE];
	struct fixture *f = *state;

	start(f);
	testing_preamble_put(preamble, CID);
	for (size_t n = 0; n < sizeof(preamble); n++) {
		dial_in(f);
		write_all(f, preamble, n);
		settle(f);
	}
	close(TAKE_FD(f->guest));
	settle(f);
	assert_int_equal(host_counts(f->host)->accepted, 0);
	dial_in(f);
	say_cid(f, CID);
	send_hello(f);
	assert_int_equal(first_frame(f), MESSAGE_HELLO);
}

/* Who says nothing is closed after a while; as many as may wait, and no more, are kept. */
static void test_too_slow_and_too_many(void **state)
{
	struct fixture *f = *state;
	int fds[TESTING_PENDING_MAX];

	start(f);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		dial_in(f);
		write_all(f, "VMFQ", 4);
		fds[i] = TAKE_FD(f->guest);
	}
	dial_in(f); /* the last of them, in the order in which they are taken */
	settle(f);
	settle(f);
	assert_true(is_closed(f));
	close(TAKE_FD(f->guest));
	f->guest = dup(fds[0]);
	assert_false(is_closed(f));
	/* A generous guard, not a measure. */
	for (unsigned i = 0; i < 60; i++) {
		close(TAKE_FD(f->guest));
		f->guest = dup(fds[ARRAY_SIZE(fds) - 1]);
		sd_event_run(f->event, USEC_PER_SEC);
		if (is_closed(f))
			break;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		close(f->guest);
		f->guest = fds[i];
		EXPECT(is_closed(f), "%zu is open still", i);
	}
	dial_in(f);
	assert_false(is_closed(f));
}

/* -- it is seen
 * -----------------------------------------------------------------------------------*/

static void test_is_seen(void **state)
{
	struct fixture *f = *state;

	start_host(f, false);
	assert_true(status_has(f, " TESTING BUILD\""));
	assert_true(status_has(f, "\"concerns\":[]"));
	assert_false(status_has(f, "TESTING LISTENER"));
	start_listening(f);
	assert_true(status_has(f, "\"testing_listener\""));
	assert_true(status_has(f, "TESTING LISTENER ACTIVE"));
	host_verify(f->host);
	assert_true(status_has(f, "TESTING LISTENER ACTIVE"));
}

/* vmfreqctl knows nothing of it, and shows it all the same. */
static void test_is_seen_by_people(void **state)
{
	struct fixture *f = *state;
	struct json_object *status;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	start(f);
	status = status_json(f->host);
	assert_int_equal(status_text(status, to), 0);
	fclose(to);
	json_object_put(status);
	EXPECT(strstr(text, " TESTING BUILD on Linux "), "%s", text);
	EXPECT(strstr(text, "concern: testing_listener: TESTING LISTENER ACTIVE: "), "%s", text);
	free(text);
}

/* Without --testing-listen there is none, but the log says what build it is. */
static void test_log(void **state)
{
	static const struct {
		bool listens;
		const char *words[2];
	} rows[] = {{false, {"TESTING BUILD", "TESTING BUILD"}},
		    {true, {"TESTING BUILD", "TESTING LISTENER ACTIVE at "}}};
	struct fixture *f = *state;

	start_host(f, false);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int saved = dup(STDERR_FILENO), pipes[2];
		char text[4096];
		ssize_t n;

		assert_int_equal(pipe(pipes), 0);
		assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
		f->host->options.testing_path = rows[i].listens ? listen_path(f) : NULL;
		assert_int_equal(host_testing_start(f->host), 0);
		assert_true(dup2(saved, STDERR_FILENO) >= 0);
		close(saved);
		close(pipes[1]);
		n = read(pipes[0], text, sizeof(text) - 1);
		close(pipes[0]);
		assert_true(n > 0);
		text[n] = '\0';
		/* A warning: so says the prefix that journald reads. */
		EXPECT(strncmp(text, "<4>", 3) == 0, "%s", text);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].words); k++)
			EXPECT(strstr(text, rows[i].words[k]), "%s", text);
		assert_int_equal(access(listen_path(f), F_OK), rows[i].listens ? 0 : -1);
	}
}

static void test_stops(void **state)
{
	struct fixture *f = *state;

	start(f);
	dial_in(f);
	settle(f); /* it has not said its CID */
	host_free(TAKE_PTR(f->host));
	assert_int_equal(access(listen_path(f), F_OK), -1);
	assert_int_equal(read(f->guest, &(char){0}, 1), 0);
}

static void test_cannot_start(void **state)
{
	struct fixture *f = *state;

	start_host(f, false);
	test_write(f->root, "listen", "somebody's");
	f->host->options.testing_path = listen_path(f);
	assert_int_equal(host_testing_start(f->host), -EEXIST);
	test_assert_file(f->root, "listen", "somebody's");
	assert_false(status_has(f, "TESTING LISTENER"));
}

/* As with vsock: who calls before libvirt has said what there is waits. */
static void test_waits_for_the_inventory(void **state)
{
	struct fixture *f = *state;

	peer_uid = 0;
	new_host(f, false);
	start_listening(f);
	dial_in(f);
	say_cid(f, CID);
	write_hello(f);
	assert_int_equal(first_frame(f), 0);
	host_take_inventory(f->host, make_inventory(7, 0));
	assert_int_equal(first_frame(f), MESSAGE_HELLO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_reports),
		HOST_TEST(test_report_send),
		HOST_TEST(test_pieces),
		HOST_TEST(test_cids_of_no_domain),
		HOST_TEST(test_frames_are_checked),
		HOST_TEST(test_a_lease_runs_out),
		HOST_TEST(test_the_newer_one_counts),
		HOST_TEST(test_only_root),
		HOST_TEST(test_no_preamble),
		HOST_TEST(test_too_much_before_the_cid),
		HOST_TEST(test_gone_before_the_cid),
		HOST_TEST(test_too_slow_and_too_many),
		HOST_TEST(test_is_seen),
		HOST_TEST(test_is_seen_by_people),
		HOST_TEST(test_log),
		HOST_TEST(test_stops),
		HOST_TEST(test_cannot_start),
		HOST_TEST(test_waits_for_the_inventory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often an idle guest is looked at, by its own clock: counted, for the clock here goes on by
 * what guestd asks to wait, and the wait is over at once. Linked with --wrap. */
#include "tests/unit/test_guest.h"

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __real_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);

static bool faked;
static struct timespec cpu_time; /* the daemon's own, which stands still */
static bool has_schedstat;
static uint64_t fake_usec;
static unsigned n_waits;
static uint64_t shortest_usec;
static uint64_t idle_usec = 20 * USEC_PER_SEC, busy_usec; /* what the counters say */

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (!faked)
		return __real_clock_gettime(clock, ret);
	*ret = cpu_time;
	if (clock == CLOCK_MONOTONIC)
		*ret = (struct timespec){.tv_sec = (time_t)(fake_usec / USEC_PER_SEC),
					 .tv_nsec = (long)(fake_usec % USEC_PER_SEC * 1000)};
	return 0;
}

/* Once the guest streams, only the tick sets itself a time, and a speed that has to wait. */
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
	if (!faked)
		return __real_sd_event_source_set_time_relative(source, usec);
	n_waits++;
	shortest_usec = MIN(shortest_usec, usec);
	fake_usec += usec;
	return __real_sd_event_source_set_time_relative(source, 0);
}

static void start_faking(void)
{
	start_streaming(false);
	fake_usec = now_usec();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_time);
	faked = true;
}

static int idle_teardown(void **state)
{
	faked = has_schedstat = false;
	return teardown(state);
}

static void send_ping(void)
{
	uint8_t buffer[64];

	send_bytes(buffer, (size_t)ping_put(buffer, sizeof(buffer), 0));
}

/* Tasks of a millisecond each. */
static void write_schedstat(uint64_t usec)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "version 15\ntimestamp 1\ncpu0 0 0 0 0 0 0 %020llu 0 %012llu\n"
		 "cpu1 0 0 0 0 0 0 %020llu 0 %012llu\n",
		 (unsigned long long)usec / 1000 * 1000000, (unsigned long long)usec / 1000,
		 (unsigned long long)usec / 1000 * 1000000, (unsigned long long)usec / 1000);
	test_write(dir, "proc/schedstat", text);
}

/* For so long by the guest's clock, with CPUs of which a share is idle. How often it was woken. */
static unsigned run(uint64_t usec, unsigned idle_percent)
{
	uint64_t end = fake_usec + usec, pinged = 0;
	unsigned before = n_waits;

	while (fake_usec < end) {
		uint64_t last = fake_usec;

		write_stat(2, idle_usec / 10000);
		if (has_schedstat)
			write_schedstat(busy_usec);
		if (fake_usec - pinged >= 4 * USEC_PER_SEC) {
			pinged = fake_usec;
			send_ping();
		}
		while (fake_usec == last)
			turn();
		while (take_frame())
			EXPECT(frame.type != MESSAGE_BYE, "it has hung up");
		idle_usec += (fake_usec - last) * idle_percent / 100;
		busy_usec += (fake_usec - last) * (100 - idle_percent) / 100;
	}
	return n_waits - before;
}

/* How often it looks in a minute, once it knows what the guest does. */
static unsigned waits_in_a_minute(unsigned idle_percent)
{
	start_faking();
	run(5 * USEC_PER_SEC, idle_percent);
	return run(60 * USEC_PER_SEC, idle_percent);
}

/* With the settings as they are installed. */
static void test_idle(_unused_ void **state)
{
	unsigned n;

	write_config("[guest]\n");
	n = waits_in_a_minute(100);
	EXPECT(n <= 4 * 60 + 1, "%u in a minute", n);
	EXPECT(n >= 4 * 60 - 10, "%u in a minute", n); /* it does look */
}

/* What an idle guest does all the same, a hundredth of a CPU, is no reason to look more often. */
static void test_nearly_idle(_unused_ void **state)
{
	unsigned n;

	write_config("[guest]\n");
	n = waits_in_a_minute(99);
	EXPECT(n <= 4 * 60 + 1, "%u in a minute", n);
}

/* And as much where schedstat is there, too: booked in pieces of a millisecond. */
static void test_nearly_idle_schedstat(_unused_ void **state)
{
	unsigned n;

	has_schedstat = true;
	write_config("[guest]\n");
	write_schedstat(0);
	n = waits_in_a_minute(99);
	EXPECT(n <= 4 * 60 + 1, "%u in a minute", n);
}

/* A busy guest is looked at every 10 ms; then it is idle again, and soon that is known. */
static void test_comes_to_rest(_unused_ void **state)
{
	unsigned n;

	write_config("[guest]\n");
	start_faking();
	n = run(5 * USEC_PER_SEC, 0);
	EXPECT(n >= 400 && n <= 501, "%u in 5 s", n);
	n = run(2 * USEC_PER_SEC, 100);
	EXPECT(n <= 60, "%u until it rests", n);
	n = run(60 * USEC_PER_SEC, 100);
	EXPECT(n <= 4 * 60 + 1, "%u in a minute", n);
}

/* Two FEEDBACKs at once, the second too soon to be written: it is written when its time has come,
 * not when an idle guest is looked at again. */
static void test_speed_in_time(_unused_ void **state)
{
	char text[32] = "";

	write_config("[guest]\nidle_interval = 10s\ncpufreq_interval = 20ms\n");
	start(true);
	expect(MESSAGE_HELLO);
	send_hello(PROTO_MAJOR);
	expect(MESSAGE_REPORT);
	fake_usec = now_usec();
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_time);
	faked = true;
	run(50 * USEC_PER_SEC, 100);
	send_feedback(100);
	send_feedback(1024);
	write_stat(2, idle_usec / 10000 + 1000); /* it idles on */
	shortest_usec = UINT64_MAX;
	for (unsigned i = 0; i < 100 && shortest_usec == UINT64_MAX; i++)
		turn();
	EXPECT(shortest_usec <= 20 * USEC_PER_MSEC, "%llu", (unsigned long long)shortest_usec);
	for (unsigned i = 0; i < 3; i++)
		turn();
	assert_true(rootfs_read_line(root_fd, FOLDER "scaling_setspeed", text, sizeof(text)) > 0);
	assert_string_equal(text, "3000000");
}

#define IDLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, idle_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IDLE_TEST(test_idle),
		IDLE_TEST(test_nearly_idle),
		IDLE_TEST(test_nearly_idle_schedstat),
		IDLE_TEST(test_comes_to_rest),
		IDLE_TEST(test_speed_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

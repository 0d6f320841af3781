/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd without memory: each of its own allocations fails in turn, and the tick makes none. */
#include "tests/unit/test_root.h"

#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "guestd/guest.h"
#include "proto/message.h"
#include "tests/unit/test_malloc.h"

#define FOLDER "sys/devices/system/cpu/cpufreq/policy0/"

static int host_fd = -EBADF;

static int open_pair(_unused_ void *userdata, _unused_ uint32_t cid, _unused_ uint32_t port)
{
	int fds[2];

	closep(&host_fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	host_fd = fds[1];
	return fds[0];
}

static void write_stat(uint64_t idle_ticks)
{
	char text[256];

	snprintf(text, sizeof(text), "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 1 1 1 %012llu 1 1 1 1 0 0\n",
		 (unsigned long long)idle_ticks);
	test_write(dir, "proc/stat", text);
}

static int setup(void **state)
{
	int r = root_setup(state);

	log_set_level(LOG_EMERG);
	test_write(dir, FOLDER "affected_cpus", "0\n");
	test_write(dir, FOLDER "cpuinfo_max_freq", "3000000\n");
	test_write(dir, FOLDER "scaling_min_freq", "1200000\n");
	test_write(dir, FOLDER "scaling_max_freq", "3000000\n");
	test_write(dir, FOLDER "scaling_setspeed", "1800000");
	test_write(dir, FOLDER "scaling_governor", "schedutil");
	test_write(dir, "run/x", "");
	write_stat(1);
	return r;
}

static int teardown(void **state)
{
	closep(&host_fd);
	host_fd = -EBADF;
	return root_teardown(state);
}

static int start(struct guest **ret)
{
	const struct guest_options options = {.root_fd = root_fd, .open = open_pair};
	struct guest_config config;

	config_defaults(guest_config_keys, guest_config_keys_n, &config);
	config.interval_usec = 2 * USEC_PER_MSEC;
	config.idle_interval_usec = 10 * USEC_PER_MSEC;
	return guest_new(&options, &config, ret);
}

/* Either it starts or it says so; both leave nothing behind. */
static void test_start(_unused_ void **state)
{
	unsigned failed = 0;

	for (malloc_fails_at = 1;; malloc_fails_at++) {
		struct guest *guest = NULL;
		int r;

		malloc_calls = 0;
		r = start(&guest);
		assert_true(r == 0 || r == -ENOMEM);
		assert_true((r == 0) == (guest != NULL));
		failed += r < 0;
		guest_free(guest);
		test_assert_file(dir, FOLDER "scaling_governor", "schedutil");
		if (malloc_calls < malloc_fails_at)
			break;
	}
	print_message("%lu allocations, %u of them needed\n", malloc_calls, failed);
	malloc_fails_at = 0;
	assert_true(failed >= 8);
}

static void turn_for(struct guest *guest, uint64_t usec, bool idle)
{
	static uint64_t ticks = 1;
	struct timespec now;
	uint64_t start_usec = 0, now_usec;

	do {
		write_stat(idle ? ticks += 5 : ticks);
		assert_true(sd_event_run(guest_event(guest), 1000) >= 0);
		clock_gettime(CLOCK_MONOTONIC, &now);
		now_usec = (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
		start_usec = start_usec ? start_usec : now_usec;
	} while (now_usec - start_usec < usec);
}

static void test_tick(_unused_ void **state)
{
	static struct message_hello hello;
	const struct feedback_vcpu low = {0, 300, 0, 0}, high = {0, 1000, 0, 0};
	static uint8_t buffer[65536];
	struct guest *guest = NULL;
	ssize_t n;

	assert_int_equal(start(&guest), 0);
	turn_for(guest, 50 * USEC_PER_MSEC, true);
	hello = (struct message_hello){.minor = PROTO_MINOR,
				       .fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
				       .lease_max_msec = 1000,
				       .agent = "test"};
	n = hello_put(buffer, sizeof(buffer), &hello);
	assert_int_equal(write(host_fd, buffer, (size_t)n), n);
	turn_for(guest, 50 * USEC_PER_MSEC, true);
	assert_true(read(host_fd, buffer, sizeof(buffer)) > 0);

	malloc_calls = 0;
	for (unsigned i = 0; i < 5; i++) {
		n = feedback_put(buffer, sizeof(buffer), i, i % 2 ? &low : &high, 1);
		assert_int_equal(write(host_fd, buffer, (size_t)n), n);
		turn_for(guest, 100 * USEC_PER_MSEC, i % 2);
	}
	assert_int_equal(malloc_calls, 0);
	assert_true(read(host_fd, buffer, sizeof(buffer)) > 300); /* it did report */
	guest_free(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tick, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tests of the whole of guestd share: a made-up guest with two CPUs and one cpufreq policy
 * below a root of its own, and the host's end of a connection. No vsock. */
#pragma once

#include "tests/unit/test_root.h"

#include <sys/socket.h>
#include <time.h>

#include "common/log.h"
#include "guestd/guest.h"
#include "proto/message.h"

#define FOLDER	 "sys/devices/system/cpu/cpufreq/policy0/"
#define PATIENCE (20 * USEC_PER_SEC) /* until something that must happen has failed to */

static char config_path[512]; /* of the configuration: a test may change it while the guest runs */
static int host_fd;
static int open_result;
static unsigned n_opens;
static bool dry_run;
static struct guest *guest;
static struct frame_decoder decoder;
static struct frame frame; /* the last from the guest */
static struct message message;
static struct message_hello hello;

static inline int open_pair(_unused_ void *userdata, _unused_ uint32_t cid, _unused_ uint32_t port)
{
	int fds[2];

	n_opens++;
	if (open_result < 0)
		return open_result;
	closep(&host_fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	host_fd = fds[1];
	frame_decoder_init(&decoder);
	return fds[0];
}

static inline uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* n CPUs whose idle time is ticks of 10 ms. */
static inline void write_stat(unsigned n, uint64_t idle_ticks)
{
	char text[1024] = "cpu  1 1 1 1 1 1 1 1 0 0\n", line[80];

	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "cpu%u 1 1 1 %012llu 1 1 1 1 0 0\n", i,
			 (unsigned long long)idle_ticks);
		strcat(text, line);
	}
	test_write(dir, "proc/stat", text);
}

static inline void write_config(const char *text)
{
	test_write(dir, "vmfreq.conf", text);
}

static inline int setup(void **state)
{
	static const char *const files[][2] = {
		{"affected_cpus", "0 1\n"},
		{"cpuinfo_max_freq", "3000000\n"},
		{"scaling_min_freq", "1200000\n"},
		{"scaling_max_freq", "3000000\n"},
		{"scaling_setspeed", "1800000"},
		{"scaling_governor", "schedutil"},
		{"scaling_available_frequencies", "1200000 1800000 2400000 3000000\n"}};
	int r = root_setup(state);

	log_set_level(getenv("VERBOSE") ? LOG_DEBUG : LOG_EMERG);
	host_fd = -EBADF;
	open_result = 0;
	n_opens = 0;
	dry_run = false;
	guest = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		write_file(files[i][1], FOLDER "%s", files[i][0]);
	test_write(dir, "run/x", "");
	test_write(dir, "proc/sys/kernel/random/boot_id", "00112233-4455-6677-8899-aabbccddeeff\n");
	test_write(dir, "proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=77\n");
	write_stat(2, 1000);
	write_config("[guest]\nidle_interval = 20ms\ninterval = 5ms\n");
	return r;
}

static inline int teardown(void **state)
{
	guest_free(guest);
	closep(&host_fd);
	return root_teardown(state);
}

static inline void start(bool follows_cpufreq)
{
	const struct guest_options options = {.root_fd = root_fd,
					      .config_path = config_path,
					      .dry_run = dry_run,
					      .open = open_pair,
					      .follows_cpufreq = follows_cpufreq};
	struct guest_config config;

	snprintf(config_path, sizeof(config_path), "%s/vmfreq.conf", dir);
	assert_int_equal(config_load(config_path, &guest_config_table, &config, NULL, NULL, NULL),
			 0);
	assert_int_equal(guest_new(&options, &config, &guest), 0);
}

/* Lets the guest run once, waiting for a millisecond at most. */
static inline void turn(void)
{
	assert_true(sd_event_run(guest_event(guest), 1000) >= 0);
}

static inline void turn_for(uint64_t usec)
{
	for (uint64_t end = now_usec() + usec; now_usec() < end;)
		turn();
}

/* Whether another frame is there, without the guest's doing. */
static inline bool take_frame(void)
{
	size_t size;
	uint8_t *space;
	ssize_t n;

	if (host_fd < 0)
		return false;
	if (frame_decoder_next(&decoder, &frame) > 0)
		return true;
	space = frame_decoder_space(&decoder, &size);
	n = read(host_fd, space, size);
	if (n <= 0)
		return false;
	frame_decoder_commit(&decoder, (size_t)n);
	return frame_decoder_next(&decoder, &frame) > 0;
}

/* The next frame, which must be of this type; REPORTs and NOTICEs in between are skipped if asked
 * for others. */
static inline void expect(enum message_type type)
{
	for (uint64_t end = now_usec() + PATIENCE;;) {
		if (!take_frame()) {
			EXPECT(now_usec() < end, "no %s", message_type_name(type));
			turn();
			continue;
		}
		if (frame.type == type ||
		    (frame.type != MESSAGE_REPORT && frame.type != MESSAGE_NOTICE))
			break;
	}
	EXPECT(frame.type == type, "%s, not %s", message_type_name(frame.type),
	       message_type_name(type));
	if (type == MESSAGE_HELLO)
		assert_int_equal(hello_parse(&frame, &hello), 0);
	else
		assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
}

static inline void send_bytes(const void *data, size_t size)
{
	assert_int_equal(write(host_fd, data, size), size);
}

static inline void send_hello(uint8_t major)
{
	static struct message_hello mine;
	uint8_t buffer[512];

	mine = (struct message_hello){.major = major,
				      .minor = PROTO_MINOR,
				      .fields = 1U << HELLO_AGENT | 1U << HELLO_LEASE_MAX,
				      .lease_max_msec = 300,
				      .agent = "test"};
	send_bytes(buffer, (size_t)hello_put(buffer, sizeof(buffer), &mine));
}

static inline void send_feedback(unsigned capacity)
{
	const struct feedback_vcpu vcpus[] = {{0, (uint16_t)capacity, 0, 0},
					      {1, (uint16_t)capacity, 0, 0}};
	uint8_t buffer[64];

	send_bytes(buffer, (size_t)feedback_put(buffer, sizeof(buffer), 1, vcpus, 2));
}

static inline void send_bye(enum bye_code code)
{
	uint8_t buffer[64];

	send_bytes(buffer, (size_t)bye_put(buffer, sizeof(buffer), code, "because"));
}

static inline void start_streaming(bool follows_cpufreq)
{
	start(follows_cpufreq);
	expect(MESSAGE_HELLO);
	send_hello(PROTO_MAJOR);
	expect(MESSAGE_REPORT);
}

#define GUEST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guestd/uplink.c over socketpairs: bytes both ways, a host that doesn't read, one that leaves. */
#include "tests/unit/test.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/rootfs.h"
#include "guestd/uplink.h"
#include "proto/message.h"

#define START UINT64_C(1000000000)

static struct uplink *uplink;
static int host_fd, open_result;
static uint32_t asked_cid, asked_port;

static int open_pair(_unused_ void *userdata, uint32_t cid, uint32_t port)
{
	int fds[2], size = 4096;

	asked_cid = cid;
	asked_port = port;
	if (open_result < 0)
		return open_result;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	host_fd = fds[1];
	return fds[0];
}

static int setup(_unused_ void **state)
{
	open_result = 0;
	host_fd = -EBADF;
	uplink = uplink_new(open_pair, NULL);
	return !uplink;
}

static int teardown(_unused_ void **state)
{
	uplink_free(uplink);
	closep(&host_fd);
	return 0;
}

static void connect_up(void)
{
	assert_int_equal(uplink_connect(uplink, 2, 9213, START), 0);
	assert_int_equal(uplink_state(uplink), UPLINK_CONNECTING);
	assert_int_equal(uplink_events(uplink), EPOLLOUT);
	assert_int_equal(uplink_serve(uplink, EPOLLOUT, START), 0);
	assert_int_equal(uplink_state(uplink), UPLINK_UP);
	assert_int_equal(uplink_events(uplink), EPOLLIN);
}

static void send_ping(uint64_t stamp, uint64_t now)
{
	uint8_t *space = uplink_space(uplink, 64);

	assert_non_null(space);
	assert_int_equal(uplink_send(uplink, (size_t)ping_put(space, 64, stamp), now), 0);
}

static void test_connect(_unused_ void **state)
{
	assert_int_equal(uplink_state(uplink), UPLINK_DOWN);
	open_result = -ECONNREFUSED;
	assert_int_equal(uplink_connect(uplink, 5, 77, START), -ECONNREFUSED);
	assert_int_equal(uplink_state(uplink), UPLINK_DOWN);
	assert_int_equal(asked_cid, 5);
	assert_int_equal(asked_port, 77);
	open_result = 0;
	connect_up();
	uplink_close(uplink);
	assert_int_equal(uplink_state(uplink), UPLINK_DOWN);
	assert_false(uplink_is_stalled(uplink, UINT64_MAX));
	closep(&host_fd);
	connect_up();
}

/* A connection on its way that never arrives. */
static void test_connecting(_unused_ void **state)
{
	assert_int_equal(uplink_connect(uplink, 2, 9213, START), 0);
	assert_false(uplink_is_stalled(uplink, START + UPLINK_STALL_USEC - 1));
	assert_true(uplink_is_stalled(uplink, START + UPLINK_STALL_USEC));
}

static void test_both_ways(_unused_ void **state)
{
	uint8_t bytes[64], back[64];
	struct frame frame;
	int n;

	connect_up();
	send_ping(7, START);
	assert_true(uplink_is_clear(uplink));
	n = ping_put(bytes, sizeof(bytes), 7);
	assert_int_equal(read(host_fd, back, sizeof(back)), n);
	assert_memory_equal(bytes, back, n);

	/* Byte by byte, and then two at once. */
	for (int i = 0; i < n; i++) {
		assert_int_equal(uplink_next(uplink, &frame), 0);
		assert_int_equal(write(host_fd, bytes + i, 1), 1);
		assert_int_equal(uplink_serve(uplink, EPOLLIN, START), 0);
	}
	assert_int_equal(uplink_next(uplink, &frame), 1);
	assert_int_equal(frame.type, MESSAGE_PING);
	assert_int_equal(write(host_fd, bytes, (size_t)n), n);
	assert_int_equal(write(host_fd, bytes, (size_t)n), n);
	assert_int_equal(uplink_next(uplink, &frame), 0);
	assert_int_equal(uplink_serve(uplink, EPOLLIN, START), 0);
	assert_int_equal(uplink_next(uplink, &frame), 1);
	assert_int_equal(uplink_next(uplink, &frame), 1);
	assert_int_equal(uplink_next(uplink, &frame), 0);
	assert_int_equal(uplink_serve(uplink, EPOLLIN, START), 0); /* nothing there: no harm */
}

static void test_garbage(_unused_ void **state)
{
	struct frame frame;

	connect_up();
	assert_int_equal(write(host_fd, "GET / HTTP/1.1\r\n", 16), 16);
	assert_int_equal(uplink_serve(uplink, EPOLLIN, START), 0);
	assert_int_equal(uplink_next(uplink, &frame), -EBADMSG);
}

static void test_host_leaves(_unused_ void **state)
{
	uint8_t bytes[64];
	struct frame frame;
	int n = ping_put(bytes, sizeof(bytes), 7);

	connect_up();
	assert_int_equal(write(host_fd, bytes, (size_t)n), n);
	closep(&host_fd);
	host_fd = -EBADF;
	/* What it said before it left is there to be read. */
	assert_int_equal(uplink_serve(uplink, EPOLLIN | EPOLLHUP, START), 0);
	assert_int_equal(uplink_next(uplink, &frame), 1);
	assert_int_equal(uplink_next(uplink, &frame), 0);
	assert_int_equal(uplink_serve(uplink, EPOLLIN | EPOLLHUP, START), -ECONNRESET);
	assert_int_equal(
		uplink_send(uplink, (size_t)ping_put(uplink_space(uplink, 64), 64, 1), START),
		-EPIPE);
}

/* A host that doesn't read: what waits is bounded, stalls, and goes out whole once it reads. */
static void test_slow_host(_unused_ void **state)
{
	static struct frame_decoder decoder;
	uint64_t sent = 0, seen = 0;
	struct frame frame;

	connect_up();
	frame_decoder_init(&decoder);
	while (uplink_space(uplink, 64)) {
		send_ping(sent, START + sent);
		sent++;
		assert_in_range(sent, 1, 20000);
	}
	assert_false(uplink_is_clear(uplink));
	assert_int_equal(uplink_events(uplink), EPOLLIN | EPOLLOUT);
	assert_null(uplink_space(uplink, FRAME_MAX));
	assert_false(uplink_is_stalled(uplink, START + UPLINK_STALL_USEC));
	assert_true(uplink_is_stalled(uplink, START + sent + UPLINK_STALL_USEC));

	while (seen < sent) {
		size_t size;
		uint8_t *space = frame_decoder_space(&decoder, &size);
		ssize_t n = read(host_fd, space, size);

		assert_true(n > 0);
		frame_decoder_commit(&decoder, (size_t)n);
		while (frame_decoder_next(&decoder, &frame) > 0) {
			struct message message;

			assert_int_equal(message_parse(&frame, PROTO_MINOR, &message), 0);
			assert_int_equal(message.ping.stamp_usec, seen);
			seen++;
		}
		assert_int_equal(uplink_serve(uplink, EPOLLOUT, START + 2 * UPLINK_STALL_USEC), 0);
		assert_false(uplink_is_stalled(uplink, START + 2 * UPLINK_STALL_USEC + 1));
	}
	assert_true(uplink_is_clear(uplink));
	assert_non_null(uplink_space(uplink, FRAME_MAX));
}

static void test_possible(_unused_ void **state)
{
	char *dir = test_make_dir();
	int root_fd = rootfs_open(dir);

	assert_false(uplink_is_possible(root_fd));
	test_write(dir, "sys/class/misc/vsock/dev", "10:122\n");
	assert_true(uplink_is_possible(root_fd));
	close(root_fd);
	test_remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connecting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_host, setup, teardown),
		cmocka_unit_test(test_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd/listener.c: the socket that systemd hands over. No vsock here: that the socket is one, and
 * its port, is what the test says. */
#include "tests/unit/test.h"

#include <sys/socket.h>
/* After sys/socket.h, which older kernels' needs. */
#include <linux/vm_sockets.h>
#include <sys/un.h>

#include "common/rootfs.h"
#include "hostd/listener.h"

#define FIRST 3 /* SD_LISTEN_FDS_START */

static bool says_vsock;

int __real_sd_is_socket(int fd, int family, int type, int listening);
int __wrap_sd_is_socket(int fd, int family, int type, int listening);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size);

int __wrap_sd_is_socket(int fd, int family, int type, int listening)
{
	return __real_sd_is_socket(fd, says_vsock && family == AF_VSOCK ? AF_UNIX : family, type,
				   listening);
}

int __wrap_getsockname(_unused_ int fd, struct sockaddr *address, socklen_t *size)
{
	const struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_port = 4711};

	memcpy(address, &vm, MIN(*size, sizeof(vm)));
	*size = sizeof(vm);
	return 0;
}

/* Descriptor FIRST becomes a Unix socket of that type, and systemd says that it hands over n. */
static void hand_over(int type, bool listens, const char *n)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX}; /* the kernel chooses a name */
	int fd = socket(AF_UNIX, type, 0);
	char pid[16];

	assert_true(fd >= 0);
	if (fd != FIRST) {
		assert_int_equal(dup2(fd, FIRST), FIRST);
		close(fd);
	}
	assert_int_equal(bind(FIRST, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	if (listens)
		assert_int_equal(listen(FIRST, 5), 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, true);
	setenv("LISTEN_FDS", n, true);
}

static int setup(_unused_ void **state)
{
	says_vsock = true;
	return 0;
}

static int teardown(_unused_ void **state)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	close(FIRST);
	return 0;
}

static void test_takes_the_socket(_unused_ void **state)
{
	uint32_t port = 0;

	hand_over(SOCK_STREAM, true, "1");
	assert_int_equal(listener_take(&port), FIRST);
	assert_int_equal(port, 4711);
	assert_true(fcntl(FIRST, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(FIRST, F_GETFD) & FD_CLOEXEC);
	assert_null(getenv("LISTEN_FDS")); /* and none of our children takes it for its own */
}

static void test_takes_none_where_there_is_none(_unused_ void **state)
{
	uint32_t port = 1;

	assert_int_equal(listener_take(&port), -ENOENT);
	hand_over(SOCK_STREAM, true, "1");
	setenv("LISTEN_PID", "1", true);
	assert_int_equal(listener_take(&port), -ENOENT);
	assert_int_equal(port, 1);
}

static void test_refuses_what_is_no_vsock_listener(_unused_ void **state)
{
	static const struct {
		const char *what, *n;
		int type;
		bool listens, vsock;
	} rows[] = {
		{"of another family", "1", SOCK_STREAM, true, false},
		{"not listening", "1", SOCK_STREAM, false, true},
		{"no stream", "1", SOCK_DGRAM, false, true},
		{"two", "2", SOCK_STREAM, true, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t port = 1;

		says_vsock = rows[i].vsock;
		hand_over(rows[i].type, rows[i].listens, rows[i].n);
		if (rows[i].n[0] == '2')
			assert_int_equal(dup2(FIRST, FIRST + 1), FIRST + 1);
		EXPECT(listener_take(&port) == -EPROTOTYPE, "%s", rows[i].what);
		EXPECT(port == 1, "%s", rows[i].what);
		close(FIRST);
	}
	close(FIRST + 1);
}

static void test_knows_a_machine_without_vhost_vsock(_unused_ void **state)
{
	char *dir = test_make_dir();
	int root_fd = rootfs_open(dir);

	assert_false(listener_is_possible(root_fd));
	test_write(dir, "sys/class/misc/vhost-vsock/dev", "10:241\n");
	assert_true(listener_is_possible(root_fd));
	close(root_fd);
	test_remove_dir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_takes_the_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_takes_none_where_there_is_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_refuses_what_is_no_vsock_listener, setup,
						teardown),
		cmocka_unit_test(test_knows_a_machine_without_vhost_vsock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

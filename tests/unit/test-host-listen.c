/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostd when it can't take a guest's connection: it doesn't turn round and round over it, and takes
 * it as soon as it can. No vsock here: the listening socket is a Unix one. Linked with
 * --wrap=accept4. */
#include "tests/unit/test_host.h"

#include <sys/un.h>
#include <time.h>

#include "hostd/host_private.h"

static bool no_descriptors;
static unsigned tries;

int __real_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
	tries++;
	if (no_descriptors) {
		errno = EMFILE;
		return -1;
	}
	return __real_accept4(fd, address, size, flags);
}

/* A Unix socket that listens, and in *ret_address the name that the kernel chose for it. */
static int new_listener(struct sockaddr_un *ret_address, socklen_t *ret_size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	*ret_size = sizeof(*ret_address);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)ret_address, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, ret_size), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void test_no_descriptors(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address;
	uint64_t began_msec;
	socklen_t size;
	_cleanup_close_ int fd = new_listener(&address, &size);

	start_host(f, false);
	assert_int_equal(host_listen_on(f->host, fd), 0);
	f->guest = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(f->guest, (struct sockaddr *)&address, size), 0);

	no_descriptors = true;
	tries = 0;
	began_msec = now_msec();
	while (now_msec() - began_msec < 300)
		assert_true(sd_event_run(f->event, 20000) >= 0);
	/* ten each tenth of a second, and those of the first and the last tenth */
	EXPECT(tries > 0 && tries <= 20 + (now_msec() - began_msec) / 10, "%u tries", tries);
	assert_int_equal(host_counts(f->host)->accepted, 0);

	no_descriptors = false;
	for (unsigned i = 0; i < 1000 && host_counts(f->host)->accepted == 0; i++)
		assert_true(sd_event_run(f->event, 10000) >= 0);
	assert_int_equal(host_counts(f->host)->accepted, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
